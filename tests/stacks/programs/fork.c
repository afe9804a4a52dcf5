/* A child without exec, on the code that its parent mapped: main → parent →
   delta beside main → child → delta; the grandchild is born when its parent
   is. */
#include "work.h"
#include <sys/wait.h>
#include <unistd.h>

static double end;

CALL unsigned long delta(unsigned long x) { return churn(x); }
CALL unsigned long beta(unsigned long x) { BODY(delta) }

CALL unsigned long parent(unsigned long total) {
    UNTIL(end, beta);
    return total;
}

CALL unsigned long child(unsigned long total) {
    UNTIL(end, beta);
    return total + 1;
}

CALL unsigned long grandchild(unsigned long total) {
    UNTIL(end, beta);
    return total + 2;
}

int main(int argc, char **argv) {
    end = now() + limit(argc, argv) / 2;
    if (fork() == 0) {
        if (fork() == 0) _exit(grandchild(1) == 42);
        unsigned long total = child(2);
        wait(0);
        _exit(total == 42);
    }
    unsigned long total = parent(3);
    wait(0);
    return total == 42;
}
