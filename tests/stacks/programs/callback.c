/* Through a library that has no names: main → alpha → qsort → compare → delta. */
#include "work.h"

CALL unsigned long delta(unsigned long x) { return churn(x); }

CALL int compare(const void *a, const void *b) {
    unsigned long left = delta(*(const unsigned long *)a), right = delta(*(const unsigned long *)b);
    return (left > right) - (left < right);
}

CALL unsigned long alpha(unsigned long x) {
    unsigned long values[256];
    for (int i = 0; i < 256; i++) values[i] = x ^ (unsigned long)(i * 77);
    qsort(values, 256, sizeof values[0], compare);
    return values[7];
}

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    unsigned long total = 0;
    do total = alpha(total) + 1;
    while (now() < end);
    return total == 42;
}
