/* _start → alpha → beta → delta, without a library: for 32-bit x86, with frame pointers. */
#define CALL __attribute__((noipa))

static long call(long n, long a, void *b) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(n), "b"(a), "c"(b) : "memory");
    return result;
}

struct time { int seconds, nanoseconds; };

/* CPU time in nanoseconds. */
static long long now(void) {
    struct time t;
    call(265, 2, &t);
    return t.seconds * 1000000000ll + t.nanoseconds;
}

CALL unsigned delta(unsigned x) {
    for (int i = 0; i < 60; i++) x = (x ^ x >> 13) * 1664525u + 1013904223u;
    return x;
}
CALL unsigned beta(unsigned x) {
    for (int i = 0; i < 6; i++) x = delta(x) + 1;
    return x;
}
CALL unsigned alpha(unsigned x) {
    for (int i = 0; i < 6; i++) x = beta(x) + 1;
    return x;
}

void _start(void) {
    long long end = now() + 800000000;
    unsigned total = 0;
    do {
        for (int n = 0; n < 512; n++) total = alpha(total) + 1;
    } while (now() < end);
    call(1, total == 42, 0);
    for (;;) {}
}
