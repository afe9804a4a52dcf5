/*
 * The same as two_functions.rs, in C: `heavy` costs three times as much as
 * `light`, and the program prints the true split in CPU time.
 *
 *     gcc -O1 -fno-omit-frame-pointer -o two_functions examples/two_functions.c
 *     eprof run -- ./two_functions
 *
 * Compile it without -fno-omit-frame-pointer to see what missing frame
 * pointers do to the stacks: the leaf is still right, its callers are not.
 *
 * Argument: CPU seconds in all (default 1.5).
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static volatile uint64_t sink;

/* A macro, so that the work is in the two functions and not below them. */
#define BURN_UNTIL(end)                                                        \
	while (cpu_ns() < (end)) {                                             \
		uint64_t x = 1;                                                \
		for (uint64_t n = 0; n < 100000; n++)                          \
			x = x * UINT64_C(6364136223846793005) + n;             \
		sink = x;                                                      \
	}

/* Three parts of four. */
__attribute__((noinline)) void heavy(uint64_t end)
{
	BURN_UNTIL(end);
}

/* One part of four. */
__attribute__((noinline)) void light(uint64_t end)
{
	BURN_UNTIL(end);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1.5;
	uint64_t total = (uint64_t)(seconds * 1e9);
	uint64_t in_heavy = 0, in_light = 0;

	while (in_heavy + in_light < total) {
		uint64_t begin = cpu_ns(), middle;
		uint64_t wanted = 3 * (in_light + 10000000);

		heavy(begin + (wanted > in_heavy ? wanted - in_heavy : 0));
		middle = cpu_ns();
		in_heavy += middle - begin;
		wanted = in_heavy / 3;
		light(middle + (wanted > in_light ? wanted - in_light : 0));
		in_light += cpu_ns() - middle;
	}
	printf("{\"heavy_ns\":%llu,\"light_ns\":%llu}\n",
	       (unsigned long long)in_heavy, (unsigned long long)in_light);
	return 0;
}
