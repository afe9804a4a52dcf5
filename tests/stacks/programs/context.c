/* Two coroutines on stacks of their own take turns: start → left → delta and
   start → right → delta; their root is where makecontext put it. */
#include "work.h"
#include <ucontext.h>

static ucontext_t home, one, two;
static double end;

CALL unsigned long delta(unsigned long x) { return churn(x); }
CALL unsigned long left(unsigned long x) { BODY(delta) }
CALL unsigned long right(unsigned long x) { BODY(delta) }

CALL void start(int which) {
    unsigned long total = 0;
    do {
        for (int n = 0; n < 64; n++) total += which ? right(total) : left(total);
        swapcontext(which ? &two : &one, which ? &one : &two);
    } while (now() < end);
}

static void prepare(ucontext_t *context, int which) {
    getcontext(context);
    context->uc_stack.ss_sp = malloc(1 << 17);
    context->uc_stack.ss_size = 1 << 17;
    context->uc_link = &home;
    makecontext(context, (void (*)(void))start, 1, which);
}

int main(int argc, char **argv) {
    end = now() + limit(argc, argv);
    prepare(&one, 0);
    prepare(&two, 1);
    swapcontext(&home, &one);
    return 0;
}
