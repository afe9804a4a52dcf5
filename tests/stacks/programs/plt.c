/* Spends much of its time in the stubs that lead to a library. */
#include "work.h"

unsigned long tiny_add(unsigned long x);
unsigned long tiny_mix(unsigned long x);

CALL unsigned long beta(unsigned long x) {
    for (int i = 0; i < 100; i++) x = tiny_mix(tiny_add(x));
    return x;
}

CALL unsigned long alpha(unsigned long x) { BODY(beta) }

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    unsigned long total = 0;
    UNTIL(end, alpha);
    return total == 42;
}
