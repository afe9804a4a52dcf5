/* Reads the clock all the time: main → alpha → beta → the vDSO. */
#include "work.h"

CALL unsigned long beta(unsigned long x) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return x + (unsigned long)t.tv_nsec;
}

CALL unsigned long alpha(unsigned long x) { BODY(beta) }

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    unsigned long total = 0;
    UNTIL(end, alpha);
    return total == 42;
}
