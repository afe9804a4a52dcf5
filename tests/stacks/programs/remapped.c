/* main → alpha → beta → delta. After a third of the time, the program moves its own code
   to memory without a file at the same addresses, as if to huge pages. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "work.h"

CALL unsigned long delta(unsigned long x) { return churn(x); }
CALL unsigned long beta(unsigned long x) { BODY(delta) }
CALL unsigned long alpha(unsigned long x) { BODY(beta) }

static inline long call(long n, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* Runs elsewhere, and calls nothing: it replaces all other code. */
typedef void move(char *, unsigned long, const char *);
CALL static void mover(char *at, unsigned long length, const char *copy) {
    enum { ALL = PROT_READ | PROT_WRITE | PROT_EXEC };
    call(SYS_mmap, (long)at, length, ALL, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (unsigned long i = 0; i < length; i++) ((volatile char *)at)[i] = copy[i];
    call(SYS_madvise, (long)at, length, MADV_HUGEPAGE, 0, 0, 0);
    call(SYS_mprotect, (long)at, length, PROT_READ | PROT_EXEC, 0, 0, 0);
}

static int remap(void) {
    unsigned long from = 0, to = 0, here = (unsigned long)alpha;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long a, b;
        if (sscanf(line, "%lx-%lx", &a, &b) == 2 && a <= here && here < b) from = a, to = b;
    }
    if (!to) return 1;
    fclose(maps);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    char *copy = mmap(0, to - from, PROT_READ | PROT_WRITE, flags, -1, 0);
    char *room = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
    if (copy == MAP_FAILED || room == MAP_FAILED) return 1;
    memcpy(copy, (void *)from, to - from);
    memcpy(room, (void *)mover, 2048);
    ((move *)(void *)room)((char *)from, to - from, copy);
    return 0;
}

int main(int argc, char **argv) {
    double seconds = limit(argc, argv), end = now() + seconds / 3;
    unsigned long total = 0;
    UNTIL(end, alpha);
    if (remap()) return 1;
    end = now() + seconds;
    UNTIL(end, alpha);
    return total == 42;
}
