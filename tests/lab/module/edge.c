// SPDX-License-Identifier: GPL-2.0
/*
 * The instants at which the registers are updated: a steady clock of 1003.1 µs
 * with an independent jitter of 34 µs standard deviation, as measured on real
 * machines. The schedule does not depend on who reads when, and the energy of
 * an update is that of its instant, so an emulator's late timers change nothing.
 */
#include <linux/kernel.h>

#include "eproflab.h"

#define PERIOD_NS 1003100ULL
/* The sum of four numbers that are uniform in ±29.4 µs has an sd of 34 µs. */
#define JITTER_NS 29445

u64 lab_edge_time(int package, u64 edge)
{
	u64 hash = lab_hash(edge ^ ((u64)(package + 1) << 56));
	s64 jitter = 0;
	int at;

	for (at = 0; at < 4; at++, hash >>= 16)
		jitter += (s64)(hash & 0xffff) * 2 * JITTER_NS / 0xffff - JITTER_NS;
	return edge * PERIOD_NS + 377000 + 211000 * package + jitter;
}

/* At the time of an update, with everything integrated up to it. */
void lab_latch(struct lab_package *package)
{
	const struct lab_defects *defects = &lab_defects;
	u64 hash = lab_hash(~package->edge ^ ((u64)package->id << 48));
	int domain;

	if (package->at >= defects->stall_from && package->at < defects->stall_until)
		return;
	if (hash % 1000 < defects->doubled_permille)
		return;
	for (domain = LAB_CORES; domain < LAB_DOMAINS; domain++) {
		u64 now = package->energy[domain].whole;
		u64 since = now - package->previous[domain];
		s64 noise = 0;

		if (defects->noise_permille) {
			hash = lab_hash(hash);
			noise = (s64)(hash % 2001) - 1000;
			noise = noise * defects->noise_permille / 1000;
			noise = noise * (s64)(since / 1000);
		}
		package->previous[domain] = now;
		package->latched[domain] = max(package->latched[domain], now + noise);
	}
}
