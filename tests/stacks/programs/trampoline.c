/* Through code that is made at run time, as CPython makes it (3.12 and 3.13,
   -X perf): main → alpha → trampoline → beta → trampoline → delta. */
#include <string.h>
#include <sys/mman.h>

#include "work.h"

/* sub $8,%rsp; call *%rcx; add $8,%rsp; ret: calls its fourth argument. */
static const unsigned char CODE[] = {
#ifdef __CET__
    0xf3, 0x0f, 0x1e, 0xfa, /* endbr64 */
#endif
    0x48, 0x83, 0xec, 8, 0xff, 0xd1, 0x48, 0x83, 0xc4, 8, 0xc3,
};
enum { ARENA = 1 << 16, STEP = 16 };

typedef unsigned long function(unsigned long);
typedef unsigned long trampoline(unsigned long, void *, int, function *);

static unsigned char *arena;

static unsigned long through(unsigned n, unsigned long x, function *f) {
    return ((trampoline *)(void *)(arena + n * STEP))(x, 0, 0, f);
}

CALL unsigned long delta(unsigned long x) { return churn(x); }
CALL unsigned long gamma_(unsigned long x) { return through(77, x, delta) + 1; }
CALL unsigned long beta(unsigned long x) { BODY(gamma_) }
CALL unsigned long alpha(unsigned long x) { return through(4095, x, beta) + 1; }

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    arena = mmap(0, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED) return 1;
    for (int at = 0; at < ARENA; at += STEP) memcpy(arena + at, CODE, sizeof CODE);
    mprotect(arena, ARENA, PROT_READ | PROT_EXEC);
    unsigned long total = 0;
    UNTIL(end, alpha);
    return total == 42;
}
