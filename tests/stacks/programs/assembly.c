/* main → alpha → middle → delta, with `middle` written in assembly. */
#include "work.h"

CALL unsigned long delta(unsigned long x) { return churn(x); }

unsigned long middle(unsigned long x);

CALL unsigned long alpha(unsigned long x) { BODY(middle) }

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    unsigned long total = 0;
    UNTIL(end, alpha);
    return total == 42;
}
