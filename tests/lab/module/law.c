// SPDX-License-Identifier: GPL-2.0
/*
 * Power laws. `linear` is linear in time, cycles, instructions and misses; the
 * others each add one thing that makes real processors different from that.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "eproflab.h"

/* A server core of about 2020: 3 to 10 W busy. */
#define ACTIVE_UW 800000U
#define PJ_PER_CYCLE 900U
#define PJ_PER_INSTRUCTION 500U
#define PJ_PER_MISS_CORE 20000U
#define PJ_PER_MISS_UNCORE 12000U
#define PJ_PER_MISS_RAM 30000U

/* Two busy threads of one core draw 1.1 times what one draws (HaPPy, ATC'14:
 * 11/20 each).
 */
#define BESIDE_BUSY_PERMILLE 550U

bool lab_law_parse(const char *name, struct lab_law *law)
{
	memset(law, 0, sizeof(*law));
	law->smt = sysfs_streq(name, "smt");
	law->steps = sysfs_streq(name, "freq");
	law->mix = sysfs_streq(name, "mix");
	return law->smt || law->steps || law->mix || sysfs_streq(name, "linear");
}

u32 lab_law_idle_uw(enum lab_domain domain)
{
	return domain == LAB_PKG ? 9000000 : domain == LAB_RAM ? 1200000 : 0;
}

void lab_law_price(const struct lab_law *law,
		   const struct lab_character *character, bool beside_busy,
		   u32 clock_permille, struct lab_power *power)
{
	/* Voltage falls with frequency; switching energy goes with its square. */
	u64 volt = 650 + 350 * clock_permille / 1000;
	u64 kilo_cycles = (u64)character->mhz * clock_permille;
	u64 kilo_instructions = kilo_cycles * character->instructions_permille / 1000;
	u64 kilo_misses = character->kilo_misses;
	u64 core;

	/* Thousands per second × pJ are nW. */
	core = kilo_cycles * PJ_PER_CYCLE + kilo_instructions * PJ_PER_INSTRUCTION;
	core = (core / 1000 + ACTIVE_UW) * volt * volt / 1000000;
	core += kilo_misses * PJ_PER_MISS_CORE / 1000;
	if (law->mix)
		core = core * character->hidden_permille / 1000;
	if (law->smt && beside_busy)
		core = core * BESIDE_BUSY_PERMILLE / 1000;
	power->core = core;
	power->uncore = kilo_misses * PJ_PER_MISS_UNCORE / 1000;
	power->ram = kilo_misses * PJ_PER_MISS_RAM / 1000;
}

/* The clock frequency after so many steps, and how long it lasts. */
u64 lab_law_step(u64 step, u32 *clock_permille)
{
	static const u32 clocks[] = { 1000, 600, 850, 500 };

	*clock_permille = clocks[step % ARRAY_SIZE(clocks)];
	return 700 * NSEC_PER_MSEC;
}
