/* main → alpha → beta → leaf, with `leaf` written in assembly that says nothing. */
#include "work.h"

unsigned long leaf(unsigned long x);

CALL unsigned long beta(unsigned long x) { BODY(leaf) }
CALL unsigned long alpha(unsigned long x) { BODY(beta) }

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    unsigned long total = 0;
    UNTIL(end, alpha);
    return total == 42;
}
