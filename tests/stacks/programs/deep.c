/* main → alpha → 500 × recurse → delta. */
#include "work.h"

CALL unsigned long delta(unsigned long x) {
    for (int i = 0; i < 100; i++) x = churn(x);
    return x;
}

CALL unsigned long recurse(unsigned long x, int left) {
    if (left == 1) {
        for (int i = 0; i < 100; i++) x += delta(x);
        return x;
    }
    unsigned long below = recurse(x + 1, left - 1);
    return below ^ x;
}

CALL unsigned long alpha(unsigned long x) { return recurse(x, 500) + 1; }

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    unsigned long total = 0;
    do total = alpha(total) + 1;
    while (now() < end);
    return total == 42;
}
