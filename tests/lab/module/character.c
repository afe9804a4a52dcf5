// SPDX-License-Identifier: GPL-2.0
/*
 * What tasks are like, by their names. Prefixes stand for the kinds of work
 * that differ most in power; any other name has a character of its own, always
 * the same, so that whatever runs draws something plausible.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "eproflab.h"

static const struct {
	const char *prefix;
	struct lab_character character;
} known[] = {
	{ "hot", { 3500, 3200, 200, 1000 } },
	{ "mid", { 3000, 1600, 4000, 1000 } },
	{ "low", { 2200, 700, 1000, 1000 } },
	{ "mem", { 2600, 350, 60000, 1000 } },
	/* The counters of `mid`, and other power: what no model can see. */
	{ "vec", { 3000, 1600, 4000, 1600 } },
	{ "sca", { 3000, 1600, 4000, 700 } },
};

static u64 hash_of(const char *comm)
{
	u64 hash = 0;
	int at;

	for (at = 0; at < TASK_COMM_LEN && comm[at]; at++)
		hash = lab_hash(hash ^ (u8)comm[at]);
	return hash;
}

void lab_character_of(const char *comm, struct lab_character *character)
{
	u64 hash;
	int at;

	for (at = 0; at < ARRAY_SIZE(known); at++) {
		if (!strncmp(comm, known[at].prefix, strlen(known[at].prefix))) {
			*character = known[at].character;
			return;
		}
	}
	hash = hash_of(comm);
	character->mhz = 1800 + hash % 1800;
	character->instructions_permille = 300 + (hash >> 16) % 3000;
	/* Log-uniform: 128 thousand to 66 million misses per second. */
	character->kilo_misses = (128 + (hash >> 32) % 128) << ((hash >> 48) % 9);
	character->hidden_permille = 700 + (hash >> 56) * 800 / 256;
}
