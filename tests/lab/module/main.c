// SPDX-License-Identifier: GPL-2.0
/*
 * Start and end, parameters, and the scheduler's tracepoints.
 */
#include <linux/module.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "eproflab.h"

static char law[16] = "linear";
static uint noise_permille, doubled_permille, zero_domains;
static uint stall_from_ms, stall_for_ms, wrap_joules;
/* Whether the work has not begun that the energy registers are to stop in. */
static bool stall_ahead;

module_param_string(law, law, sizeof(law), 0644);
MODULE_PARM_DESC(law, "power law: linear, smt, freq or mix");
module_param(noise_permille, uint, 0644);
MODULE_PARM_DESC(noise_permille, "energy filter: random part of each update");
module_param(doubled_permille, uint, 0644);
MODULE_PARM_DESC(doubled_permille, "updates of the energy registers that are left out");
module_param(zero_domains, uint, 0644);
MODULE_PARM_DESC(zero_domains, "bits of the energy domains that read 0 (1 cores, 2 package, 3 memory)");
module_param(stall_from_ms, uint, 0644);
MODULE_PARM_DESC(stall_from_ms, "when the energy registers stop, after the work begins");
module_param(stall_for_ms, uint, 0644);
MODULE_PARM_DESC(stall_for_ms, "for how long they stop");
module_param(wrap_joules, uint, 0644);
MODULE_PARM_DESC(wrap_joules, "after how many joules the powercap zones wrap");
module_param_named(counters, lab_counters, bool, 0644);
MODULE_PARM_DESC(counters, "whether there are hardware counters");
module_param_named(counters_at_once, lab_counters_at_once, uint, 0644);
MODULE_PARM_DESC(counters_at_once, "hardware counters per CPU, 0 for enough");
module_param_named(counter_stalled, lab_counter_stalled, int, 0644);
MODULE_PARM_DESC(counter_stalled, "the counter that stands still (0 cycles, 1 reference cycles, 2 instructions, 3 misses)");

/* Puts the parameters in force, and begins anew. */
int lab_apply(void)
{
	struct lab_defects defects = {
		.noise_permille = noise_permille,
		.doubled_permille = doubled_permille,
		.zero_domains = zero_domains,
	};
	struct lab_law parsed;

	if (!lab_law_parse(law, &parsed))
		return -EINVAL;
	lab_reset(&parsed, &defects);
	stall_ahead = stall_for_ms != 0;
	lab_powercap_wrap_in(wrap_joules);
	return 0;
}

static void on_switch(void *data, bool preempt, struct task_struct *prev,
		      struct task_struct *next, unsigned int prev_state)
{
	lab_run(smp_processor_id(), next, next->comm);
}

/* Nobody knows how long eprof takes until it starts the work. */
static void stall(void)
{
	u64 from = ktime_get_ns() + stall_from_ms * NSEC_PER_MSEC;

	lab_defects.stall_from = from;
	/* Until now 0, which is before everything. */
	smp_store_release(&lab_defects.stall_until, from + stall_for_ms * NSEC_PER_MSEC);
}

static void on_rename(void *data, struct task_struct *task, const char *comm)
{
	if (!strcmp(comm, "lab_work") && xchg(&stall_ahead, false))
		stall();
	lab_rename(task, comm);
}

static struct hook {
	const char *name;
	void *probe;
	struct tracepoint *tracepoint;
	bool registered;
} hooks[] = {
	{ "sched_switch", on_switch },
	{ "task_rename", on_rename },
};

static void find(struct tracepoint *tracepoint, void *unused)
{
	struct hook *hook;

	for (hook = hooks; hook < hooks + ARRAY_SIZE(hooks); hook++)
		if (!strcmp(tracepoint->name, hook->name))
			hook->tracepoint = tracepoint;
}

static void hooks_exit(void)
{
	struct hook *hook;

	for (hook = hooks; hook < hooks + ARRAY_SIZE(hooks); hook++)
		if (hook->registered)
			tracepoint_probe_unregister(hook->tracepoint, hook->probe, NULL);
	tracepoint_synchronize_unregister();
}

static int hooks_init(void)
{
	struct hook *hook;
	int error;

	for_each_kernel_tracepoint(find, NULL);
	for (hook = hooks; hook < hooks + ARRAY_SIZE(hooks); hook++) {
		if (!hook->tracepoint)
			return -ENOENT;
		/* After all others: what they read still belongs to the task
		 * that leaves the CPU, as on real hardware.
		 */
		error = tracepoint_probe_register_prio(hook->tracepoint, hook->probe, NULL, 0);
		if (error) {
			hooks_exit();
			return error;
		}
		hook->registered = true;
	}
	return 0;
}

static const struct {
	int (*init)(void);
	void (*exit)(void);
} parts[] = {
	{ lab_truth_init, lab_truth_exit },
	{ lab_history_init, lab_history_exit },
	{ lab_machine_init, NULL },
	{ hooks_init, hooks_exit },
	{ lab_power_pmu_init, lab_power_pmu_exit },
	{ lab_counter_pmu_init, lab_counter_pmu_exit },
	{ lab_powercap_init, lab_powercap_exit },
	{ lab_files_init, lab_files_exit },
};

static void leave(int count)
{
	while (count--)
		if (parts[count].exit)
			parts[count].exit();
}

static int __init lab_init(void)
{
	int at, error;

	for (at = 0; at < ARRAY_SIZE(parts); at++) {
		error = parts[at].init();
		if (error) {
			pr_err("eproflab: part %d failed: %d\n", at, error);
			leave(at);
			return error;
		}
	}
	return lab_apply();
}

static void __exit lab_exit(void)
{
	leave(ARRAY_SIZE(parts));
}

module_init(lab_init);
module_exit(lab_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Synthetic energy meters and counters with a known truth");
