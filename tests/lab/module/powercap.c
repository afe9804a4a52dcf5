// SPDX-License-Identifier: GPL-2.0
/*
 * The powercap zones of drivers/powercap/intel_rapl_common.c: the same
 * registers as 32-bit counters that wrap.
 */
#include <linux/err.h>
#include <linux/powercap.h>

#include "eproflab.h"

#define NJ_PER_UNIT 61035ULL

static struct powercap_control_type *control;

struct lab_zone {
	struct powercap_zone zone;
	int package;
	enum lab_domain domain;
	u32 offset;
	bool registered;
};

static struct lab_zone zones[LAB_PACKAGES][LAB_DOMAINS];

static int range_uj(struct powercap_zone *zone, u64 *to)
{
	*to = U32_MAX * NJ_PER_UNIT / 1000;
	return 0;
}

static int energy_uj(struct powercap_zone *powercap, u64 *to)
{
	struct lab_zone *zone = container_of(powercap, struct lab_zone, zone);
	u32 units = lab_register(zone->package, zone->domain);

	*to = (u32)(units + zone->offset) * NJ_PER_UNIT / 1000;
	return 0;
}

static int release(struct powercap_zone *zone)
{
	return 0;
}

static const struct powercap_zone_ops ops = {
	.get_max_energy_range_uj = range_uj,
	.get_energy_uj = energy_uj,
	.release = release,
};

/* The kernel wants them even of a zone without constraints. */
static int get_number(struct powercap_zone *zone, int constraint, u64 *to)
{
	return -ENODATA;
}

static int set_number(struct powercap_zone *zone, int constraint, u64 number)
{
	return -EACCES;
}

static const struct powercap_zone_constraint_ops constraint_ops = {
	.get_power_limit_uw = get_number,
	.set_power_limit_uw = set_number,
	.get_time_window_us = get_number,
	.set_time_window_us = set_number,
};

void lab_powercap_wrap_in(u32 joules)
{
	struct lab_zone *zone;

	for (zone = &zones[0][0]; zone < &zones[LAB_PACKAGES][0]; zone++)
		if (zone->registered)
			zone->offset = joules ? -(u32)lab_register(zone->package, zone->domain) -
						(joules << 14) : 0;
}

static int add_zone(int package, enum lab_domain domain, const char *name,
		    struct powercap_zone *parent)
{
	struct lab_zone *zone = &zones[package][domain];
	struct powercap_zone *registered;

	zone->package = package;
	zone->domain = domain;
	registered = powercap_register_zone(&zone->zone, control, name, parent, &ops, 0,
					    &constraint_ops);
	zone->registered = !IS_ERR(registered);
	return PTR_ERR_OR_ZERO(registered);
}

int lab_powercap_init(void)
{
	char name[16];
	int id, error = 0;

	control = powercap_register_control_type(NULL, "intel-rapl", NULL);
	if (IS_ERR(control))
		return PTR_ERR(control);
	for (id = 0; id < lab_package_count && !error; id++) {
		struct powercap_zone *package = &zones[id][LAB_PKG].zone;

		snprintf(name, sizeof(name), "package-%d", id);
		error = add_zone(id, LAB_PKG, name, NULL);
		if (!error)
			error = add_zone(id, LAB_CORES, "core", package);
		if (!error)
			error = add_zone(id, LAB_RAM, "dram", package);
	}
	if (error)
		lab_powercap_exit();
	return error;
}

void lab_powercap_exit(void)
{
	static const enum lab_domain order[] = { LAB_RAM, LAB_CORES, LAB_PKG };
	int id, at;

	for (id = 0; id < LAB_PACKAGES; id++)
		for (at = 0; at < ARRAY_SIZE(order); at++)
			if (zones[id][order[at]].registered)
				powercap_unregister_zone(control, &zones[id][order[at]].zone);
	powercap_unregister_control_type(control);
}
