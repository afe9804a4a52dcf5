/* A hundred calls deep, in frames of which some are larger; always the same
   amount of work. */
#include <string.h>

#define CALL __attribute__((noipa))

CALL unsigned long leaf(unsigned long x) {
    for (int i = 0; i < 4000; i++) x = (x ^ x >> 29) * 6364136223846793005ul + 1;
    return x;
}

CALL unsigned long deeper(unsigned long x, int left) {
    unsigned long kept[12];
    for (int i = 0; i < 12; i++) kept[i] = x ^ (unsigned long)i;
    if (left == 0) {
        for (int i = 0; i < 20; i++) x += leaf(x);
        return x ^ kept[x % 12];
    }
    x += deeper(x, left - 1);
    return x ^ kept[x % 12];
}

int main(void) {
    unsigned long x = 1;
    for (int i = 0; i < 5000; i++) x += deeper(x, 98);
    return x == 42;
}
