/* Frames whose size only the run knows: main → alpha (alloca) → beta (a
   variable-length array) → delta (a frame aligned to 64 bytes). */
#include "work.h"
#include <alloca.h>
#include <string.h>

CALL void touch(void *memory, unsigned long size) { memset(memory, (int)size, size); }

CALL unsigned long delta(unsigned long x) {
    unsigned long vector[16] __attribute__((aligned(64)));
    touch(vector, sizeof vector);
    return churn(x) + vector[x % 16];
}

CALL unsigned long beta(unsigned long x) {
    char array[16 + x % 4000];
    touch(array, sizeof array);
    BODY(delta)
}

CALL unsigned long alpha(unsigned long x) {
    char *memory = alloca(16 + x % 3000);
    touch(memory, 16);
    BODY(beta)
}

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    unsigned long total = 0;
    UNTIL(end, alpha);
    return total == 42;
}
