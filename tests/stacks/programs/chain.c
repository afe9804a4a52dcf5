/* main → alpha → beta → delta. */
#include "work.h"

CALL unsigned long delta(unsigned long x) { return churn(x); }
CALL unsigned long beta(unsigned long x) { BODY(delta) }
CALL unsigned long alpha(unsigned long x) { BODY(beta) }

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    unsigned long total = 0;
    UNTIL(end, alpha);
    return total == 42;
}
