/* A plugin: NAME_enter → NAME_work → NAME_delta. */
#include "work.h"

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)

CALL unsigned long JOIN(NAME, delta)(unsigned long x) { return churn(x); }
CALL unsigned long JOIN(NAME, work)(unsigned long x) { BODY(JOIN(NAME, delta)) }

CALL unsigned long enter(double seconds) {
    double end = now() + seconds;
    unsigned long total = 0;
    UNTIL(end, JOIN(NAME, work));
    return total + 1;
}
