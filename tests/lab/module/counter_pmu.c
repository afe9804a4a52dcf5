// SPDX-License-Identifier: GPL-2.0
/*
 * The PMU `cpu`: cycles, reference cycles, instructions and last-level cache
 * misses, per CPU and per task. It counts and does not sample. With a limited
 * number of counters the kernel multiplexes them, as on real hardware.
 */
#include <linux/perf_event.h>
#include <linux/percpu.h>

#include "eproflab.h"

bool lab_counters = true;
uint lab_counters_at_once;
int lab_counter_stalled = -1;

static DEFINE_PER_CPU(uint, in_use);

static u64 counter_now(struct perf_event *event)
{
	if (event->hw.config == READ_ONCE(lab_counter_stalled))
		return 0;
	return lab_count(smp_processor_id(), event->hw.config);
}

static void counter_read(struct perf_event *event)
{
	u64 before, now;

	if (event->hw.state & PERF_HES_STOPPED)
		return;
	do {
		before = local64_read(&event->hw.prev_count);
		now = counter_now(event);
	} while (local64_cmpxchg(&event->hw.prev_count, before, now) != before);
	local64_add(now - before, &event->count);
}

static void counter_start(struct perf_event *event, int flags)
{
	event->hw.state = 0;
	local64_set(&event->hw.prev_count, counter_now(event));
}

static void counter_stop(struct perf_event *event, int flags)
{
	counter_read(event);
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
}

static int counter_add(struct perf_event *event, int flags)
{
	uint limit = READ_ONCE(lab_counters_at_once);

	if (limit && __this_cpu_read(in_use) >= limit)
		return -EAGAIN;
	__this_cpu_inc(in_use);
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	if (flags & PERF_EF_START)
		counter_start(event, flags);
	perf_event_update_userpage(event);
	return 0;
}

static void counter_del(struct perf_event *event, int flags)
{
	counter_stop(event, flags);
	__this_cpu_dec(in_use);
}

static int signal_of(const struct perf_event_attr *attr)
{
	const u64 read_miss = PERF_COUNT_HW_CACHE_LL | PERF_COUNT_HW_CACHE_OP_READ << 8 |
			      PERF_COUNT_HW_CACHE_RESULT_MISS << 16;

	if (attr->type == PERF_TYPE_HW_CACHE && attr->config == read_miss)
		return LAB_MISSES;
	if (attr->type != PERF_TYPE_HARDWARE)
		return -1;
	switch (attr->config) {
	case PERF_COUNT_HW_CPU_CYCLES:
		return LAB_CYCLES;
	case PERF_COUNT_HW_REF_CPU_CYCLES:
		return LAB_REF_CYCLES;
	case PERF_COUNT_HW_INSTRUCTIONS:
		return LAB_INSTRUCTIONS;
	case PERF_COUNT_HW_CACHE_MISSES:
		return LAB_MISSES;
	}
	return -1;
}

static int counter_event_init(struct perf_event *event)
{
	int signal = signal_of(&event->attr);

	if (signal < 0 || !lab_counters)
		return -ENOENT;
	if (event->attr.sample_period)
		return -EOPNOTSUPP;
	event->hw.config = signal;
	return 0;
}

static struct pmu counter_pmu = {
	.module = THIS_MODULE,
	.task_ctx_nr = perf_hw_context,
	.capabilities = PERF_PMU_CAP_NO_INTERRUPT,
	.event_init = counter_event_init,
	.add = counter_add,
	.del = counter_del,
	.start = counter_start,
	.stop = counter_stop,
	.read = counter_read,
};

int lab_counter_pmu_init(void)
{
	return perf_pmu_register(&counter_pmu, "cpu", PERF_TYPE_RAW);
}

void lab_counter_pmu_exit(void)
{
	perf_pmu_unregister(&counter_pmu);
}
