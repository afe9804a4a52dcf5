/* Four threads: thread → alpha → beta → delta, rooted in clone. */
#include "work.h"
#include <pthread.h>

static double end;

CALL unsigned long delta(unsigned long x) { return churn(x); }
CALL unsigned long beta(unsigned long x) { BODY(delta) }
CALL unsigned long alpha(unsigned long x) { BODY(beta) }

CALL void *thread(void *argument) {
    unsigned long total = (unsigned long)argument;
    UNTIL(end, alpha);
    return (void *)total;
}

int main(int argc, char **argv) {
    end = now() + limit(argc, argv);
    pthread_t threads[4];
    for (unsigned long n = 0; n < 4; n++) pthread_create(&threads[n], 0, thread, (void *)n);
    for (int n = 0; n < 4; n++) pthread_join(threads[n], 0);
    return 0;
}
