/* A handler that interrupts main → alpha → beta → delta anywhere, and spends
   its time in on_alarm → handle → digest. With a second argument, on a stack
   of its own. */
#include "work.h"
#include <signal.h>
#include <sys/time.h>

static volatile unsigned long total_handled;

CALL unsigned long digest(unsigned long x) { return churn(x); }
CALL unsigned long handle(unsigned long x) { BODY(digest) }

CALL void on_alarm(int number) {
    unsigned long x = (unsigned long)number;
    for (int i = 0; i < 2000; i++) x += handle(x);
    total_handled += x;
}

CALL unsigned long delta(unsigned long x) { return churn(x); }
CALL unsigned long beta(unsigned long x) { BODY(delta) }
CALL unsigned long alpha(unsigned long x) { BODY(beta) }

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = on_alarm};
    if (argc > 2) {
        stack_t other = {.ss_sp = malloc(1 << 17), .ss_size = 1 << 17};
        sigaltstack(&other, 0);
        action.sa_flags = SA_ONSTACK;
    }
    sigaction(SIGALRM, &action, 0);
    struct itimerval every = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &every, 0);
    double end = now() + limit(argc, argv);
    unsigned long total = 0;
    UNTIL(end, alpha);
    return total == 42;
}
