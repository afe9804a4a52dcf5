/* Through code that is made at run time and keeps no frame pointer everywhere, as
   Mono's compiler makes it: main → alpha → framed → beta → frameless → delta. In
   `frameless`, the frame pointer is still that of `framed`. */
#include <string.h>
#include <sys/mman.h>

#include "work.h"

/* push %rbp; mov %rsp,%rbp; call *%rcx; pop %rbp; ret: calls its fourth argument. */
static const unsigned char FRAMED[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd1, 0x5d, 0xc3};
/* sub $24,%rsp; call *%rcx; add $24,%rsp; ret: the same. */
static const unsigned char FRAMELESS[] = {
    0x48, 0x83, 0xec, 24, 0xff, 0xd1, 0x48, 0x83, 0xc4, 24, 0xc3,
};
enum { PAGE = 1 << 16 };

typedef unsigned long function(unsigned long);
typedef unsigned long through(unsigned long, void *, int, function *);

static unsigned char *framed, *frameless;

/* Uses no register that it would have to preserve. */
CALL unsigned long delta(unsigned long x) { return churn(x); }
CALL unsigned long beta(unsigned long x) {
    return ((through *)(void *)frameless)(x, 0, 0, delta) + 1;
}
CALL unsigned long alpha(unsigned long x) {
    return ((through *)(void *)framed)(x, 0, 0, beta) + 1;
}

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    framed = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (framed == MAP_FAILED) return 1;
    frameless = framed + 64;
    memcpy(framed, FRAMED, sizeof FRAMED);
    memcpy(frameless, FRAMELESS, sizeof FRAMELESS);
    mprotect(framed, PAGE, PROT_READ | PROT_EXEC);
    unsigned long total = 0;
    UNTIL(end, alpha);
    return total == 42;
}
