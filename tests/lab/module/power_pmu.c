// SPDX-License-Identifier: GPL-2.0
/*
 * The PMU `power`, as arch/x86/events/rapl.c registers it on real hardware.
 */
#include <linux/perf_event.h>
#include <linux/topology.h>

#include "eproflab.h"

static struct cpumask lead_cpus;

/* Registers count 2^-14 J; the events count 2^-32 J. */
static u64 power_now(struct perf_event *event)
{
	int package = topology_logical_package_id(event->cpu);

	return lab_register(package, event->attr.config) << (32 - 14);
}

static void power_read(struct perf_event *event)
{
	u64 before, now;

	do {
		before = local64_read(&event->hw.prev_count);
		now = power_now(event);
	} while (local64_cmpxchg(&event->hw.prev_count, before, now) != before);
	local64_add(now - before, &event->count);
}

static void power_start(struct perf_event *event, int flags)
{
	event->hw.state = 0;
	local64_set(&event->hw.prev_count, power_now(event));
}

static void power_stop(struct perf_event *event, int flags)
{
	if (!(event->hw.state & PERF_HES_STOPPED)) {
		power_read(event);
		event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	}
}

static int power_add(struct perf_event *event, int flags)
{
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	if (flags & PERF_EF_START)
		power_start(event, flags);
	return 0;
}

static void power_del(struct perf_event *event, int flags)
{
	power_stop(event, flags);
}

static int power_event_init(struct perf_event *event)
{
	int cpu;

	if (event->attr.type != event->pmu->type)
		return -ENOENT;
	if (event->attr.config < LAB_CORES || event->attr.config >= LAB_DOMAINS)
		return -EINVAL;
	if (event->cpu < 0 || event->cpu >= LAB_CPUS || event->attr.sample_period)
		return -EINVAL;
	event->event_caps |= PERF_EV_CAP_READ_ACTIVE_PKG;
	for_each_cpu(cpu, &lead_cpus)
		if (topology_logical_package_id(cpu) == topology_logical_package_id(event->cpu)) {
			event->cpu = cpu;
			return 0;
		}
	return -EINVAL;
}

static ssize_t cpumask_show(struct device *device, struct device_attribute *attribute, char *to)
{
	return cpumap_print_to_pagebuf(true, to, &lead_cpus);
}
static DEVICE_ATTR_RO(cpumask);

PMU_FORMAT_ATTR(event, "config:0-7");

#define ENERGY_EVENT(name, variable, config)					\
	PMU_EVENT_ATTR_STRING(name, variable, config);				\
	PMU_EVENT_ATTR_STRING(name.unit, variable##_unit, "Joules");		\
	PMU_EVENT_ATTR_STRING(name.scale, variable##_scale,			\
			      "2.3283064365386962890625e-10")

ENERGY_EVENT(energy-cores, cores, "event=0x01");
ENERGY_EVENT(energy-pkg, pkg, "event=0x02");
ENERGY_EVENT(energy-ram, ram, "event=0x03");

#define ENERGY_ATTRS(variable)							\
	&variable.attr.attr, &variable##_unit.attr.attr, &variable##_scale.attr.attr

static struct attribute *event_attrs[] = {
	ENERGY_ATTRS(cores), ENERGY_ATTRS(pkg), ENERGY_ATTRS(ram), NULL
};
static struct attribute *format_attrs[] = { &format_attr_event.attr, NULL };
static struct attribute *cpumask_attrs[] = { &dev_attr_cpumask.attr, NULL };

static const struct attribute_group events_group = { .name = "events", .attrs = event_attrs };
static const struct attribute_group format_group = { .name = "format", .attrs = format_attrs };
static const struct attribute_group cpumask_group = { .attrs = cpumask_attrs };
static const struct attribute_group *groups[] = {
	&events_group, &format_group, &cpumask_group, NULL
};

static struct pmu power_pmu = {
	.module = THIS_MODULE,
	.attr_groups = groups,
	.task_ctx_nr = perf_invalid_context,
	.capabilities = PERF_PMU_CAP_NO_EXCLUDE,
	.event_init = power_event_init,
	.add = power_add,
	.del = power_del,
	.start = power_start,
	.stop = power_stop,
	.read = power_read,
};

int lab_power_pmu_init(void)
{
	int cpu, id;

	for (id = 0; id < lab_package_count; id++)
		for_each_online_cpu(cpu)
			if (topology_logical_package_id(cpu) == id) {
				cpumask_set_cpu(cpu, &lead_cpus);
				break;
			}
	return perf_pmu_register(&power_pmu, "power", -1);
}

void lab_power_pmu_exit(void)
{
	perf_pmu_unregister(&power_pmu);
}
