/* main → alpha → beta → delta, with a frame in between that no copy of a stack
   reaches across. */
#include "work.h"

CALL unsigned long delta(unsigned long x) { return churn(x); }
CALL unsigned long beta(unsigned long x) { BODY(delta) }
CALL unsigned long alpha(unsigned long x) {
    volatile char large[600 << 10];
    for (unsigned long at = 0; at < sizeof large; at += 4096) large[at] = (char)x;
    for (int n = 0; n < 2000; n++) x = beta(x) + (unsigned long)large[x % sizeof large];
    return x;
}

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    unsigned long total = 0;
    do total = alpha(total) + 1;
    while (now() < end);
    return total == 42;
}
