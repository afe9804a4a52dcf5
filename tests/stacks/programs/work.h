/* What the C programs of this suite share: calls that stay calls, and work. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <time.h>

/* Never inlined, cloned, or specialised for its callers. */
#define CALL __attribute__((noipa))

/* For how long to work: seconds of CPU time, the first argument. */
static double limit(int argc, char **argv) { return argc > 1 ? atof(argv[1]) : 1.0; }

/* CPU time of this process: a busy machine makes no difference. */
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Some hundred nanoseconds. */
static inline unsigned long churn(unsigned long x) {
    for (int i = 0; i < 60; i++) x = (x ^ x >> 29) * 6364136223846793005ul + 1;
    return x;
}

/* A body that keeps many values across its calls of `f`, so that a compiler
   that may, uses every register that a callee must preserve. */
#define BODY(f)                                                                    \
    unsigned long a = x * 3, b = x ^ 5, c = x + 7, d = x >> 2, e = x << 1, g = ~x; \
    for (int i = 0; i < 6; i++) {                                                  \
        x = f(x + a);                                                              \
        a += x, b ^= a, c += b, d ^= c, e += d, g ^= e;                            \
    }                                                                              \
    return a ^ b ^ c ^ d ^ e ^ g;

/* Calls `f` until the time is over. */
#define UNTIL(end, f)                                          \
    do {                                                       \
        for (int n = 0; n < 512; n++) total = f(total) + 1;    \
    } while (now() < (end))
