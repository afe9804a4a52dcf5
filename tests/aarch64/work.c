/* Two threads, each in a function of its own: 600 and 200 ms of CPU time. */
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>

static void spend(long ms, volatile unsigned long *x)
{
	struct timespec now;

	do {
		for (int n = 0; n < 20000; n++)
			*x = *x * 6364136223846793005UL + n;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < ms);
}

/* Ten calls deep, without frame pointers. */
__attribute__((noinline)) static long deep(int n, volatile unsigned long *x)
{
	if (n == 0) {
		spend(600, x);
		return 1;
	}
	return deep(n - 1, x) + *x;
}

__attribute__((noinline)) static void *heavy(void *unused)
{
	volatile unsigned long x = 1;

	pthread_setname_np(pthread_self(), "heavy");
	deep(9, &x);
	return unused;
}

__attribute__((noinline)) static void *light(void *unused)
{
	volatile unsigned long x = 2;

	pthread_setname_np(pthread_self(), "light");
	spend(200, &x);
	return unused;
}

int main(void)
{
	pthread_t threads[2];

	pthread_create(&threads[0], NULL, heavy, NULL);
	pthread_create(&threads[1], NULL, light, NULL);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	return 0;
}
