// SPDX-License-Identifier: GPL-2.0
/*
 * The machine: which CPU does what, and the exact integrals over time.
 *
 * All state of a package is under one lock. Whoever changes anything first
 * integrates up to now (lab_advance), so powers and rates are constant between
 * two calls, and so are they between two updates of the registers, which are
 * latched on the way, each at its own time.
 */
#include <linux/string.h>
#include <linux/topology.h>

#include "eproflab.h"

struct lab_cpu lab_cpus[LAB_CPUS];
struct lab_package lab_packages[LAB_PACKAGES];
int lab_package_count;
struct lab_law lab_law;
struct lab_defects lab_defects;

#define for_each_lab_cpu(cpu, of)					\
	for (cpu = lab_cpus; cpu < lab_cpus + LAB_CPUS; cpu++)		\
		if (cpu->package == (of))

static bool beside_busy(const struct lab_cpu *cpu)
{
	int sibling;

	for_each_cpu(sibling, topology_sibling_cpumask(cpu->cpu))
		if (sibling != cpu->cpu && sibling < LAB_CPUS && lab_cpus[sibling].busy)
			return true;
	return false;
}

/* Sets the powers and rates of a package by what its CPUs do now. */
static void reprice(struct lab_package *package)
{
	struct lab_cpu *cpu;
	int domain;

	lab_remember(package, false);
	for (domain = LAB_CORES; domain < LAB_DOMAINS; domain++)
		package->uw[domain] = lab_law_idle_uw(domain);
	for_each_lab_cpu(cpu, package) {
		const struct lab_character *character = &cpu->character;
		u64 hz;

		memset(&cpu->power, 0, sizeof(cpu->power));
		memset(cpu->rate, 0, sizeof(cpu->rate));
		if (!cpu->busy)
			continue;
		lab_law_price(&lab_law, character, beside_busy(cpu),
			      package->clock_permille, &cpu->power);
		hz = (u64)character->mhz * package->clock_permille * 1000;
		cpu->rate[LAB_CYCLES] = hz;
		cpu->rate[LAB_REF_CYCLES] = 2400000000ULL;
		cpu->rate[LAB_INSTRUCTIONS] = hz / 1000 * character->instructions_permille;
		cpu->rate[LAB_MISSES] = (u64)character->kilo_misses * 1000;
		package->uw[LAB_CORES] += cpu->power.core;
		package->uw[LAB_PKG] += cpu->power.core + cpu->power.uncore;
		package->uw[LAB_RAM] += cpu->power.ram;
	}
}

static void charge(struct lab_cpu *cpu, u64 ns)
{
	struct lab_account *account = cpu->account;
	int id = cpu->package->id;
	int signal;

	for (signal = 0; signal < LAB_SIGNALS; signal++)
		lab_add(&cpu->count[signal], cpu->rate[signal], ns, LAB_HZ_NS_PER_COUNT);
	if (!account)
		return;
	account->used[id].ns += ns;
	lab_add(&account->used[id].core, cpu->power.core, ns, LAB_UW_NS_PER_NJ);
	lab_add(&account->used[id].uncore, cpu->power.uncore, ns, LAB_UW_NS_PER_NJ);
	lab_add(&account->used[id].ram, cpu->power.ram, ns, LAB_UW_NS_PER_NJ);
}

static void integrate(struct lab_package *package, u64 until)
{
	u64 ns = until - package->at;
	struct lab_cpu *cpu;
	int domain;

	for (domain = LAB_CORES; domain < LAB_DOMAINS; domain++)
		lab_add(&package->energy[domain], package->uw[domain], ns, LAB_UW_NS_PER_NJ);
	for_each_lab_cpu(cpu, package)
		if (cpu->busy)
			charge(cpu, ns);
	package->at = until;
}

u64 lab_advance(struct lab_package *package)
{
	u64 now = max(ktime_get_ns(), package->at);

	/* An update is at most 1.3 ms away, so that no product overflows. */
	while (package->edge_at <= now || (lab_law.steps && package->step_at <= now)) {
		if (lab_law.steps && package->step_at <= package->edge_at) {
			integrate(package, max(package->step_at, package->at));
			package->step_at += lab_law_step(package->step++,
							 &package->clock_permille);
			reprice(package);
		} else {
			integrate(package, max(package->edge_at, package->at));
			lab_remember(package, true);
			lab_latch(package);
			package->edge_at = lab_edge_time(package->id, ++package->edge);
		}
	}
	integrate(package, now);
	return now;
}

static struct lab_package *lock_package(int cpu, unsigned long *flags)
{
	struct lab_package *package = cpu < LAB_CPUS ? lab_cpus[cpu].package : NULL;

	if (package)
		raw_spin_lock_irqsave(&package->lock, *flags);
	return package;
}

static void take_up(struct lab_cpu *cpu, const struct task_struct *task, const char *comm)
{
	cpu->busy = task->pid != 0;
	cpu->account = NULL;
	if (!cpu->busy)
		return;
	cpu->tid = task->pid;
	cpu->tgid = task->tgid;
	strscpy(cpu->comm, comm, sizeof(cpu->comm));
	lab_character_of(cpu->comm, &cpu->character);
	cpu->account = lab_account_of(cpu->tid, cpu->tgid, cpu->comm);
}

void lab_run(int cpu, const struct task_struct *task, const char *comm)
{
	struct lab_package *package;
	unsigned long flags;

	package = lock_package(cpu, &flags);
	if (!package)
		return;
	lab_advance(package);
	take_up(&lab_cpus[cpu], task, comm);
	reprice(package);
	raw_spin_unlock_irqrestore(&package->lock, flags);
}

/* A task that runs changes its name, and with it its character, at once. */
void lab_rename(const struct task_struct *task, const char *comm)
{
	int cpu = task_cpu(task);
	struct lab_package *package;
	unsigned long flags;

	package = lock_package(cpu, &flags);
	if (!package)
		return;
	if (lab_cpus[cpu].busy && lab_cpus[cpu].tid == task->pid) {
		lab_advance(package);
		take_up(&lab_cpus[cpu], task, comm);
		reprice(package);
	}
	raw_spin_unlock_irqrestore(&package->lock, flags);
}

void lab_reset(const struct lab_law *law, const struct lab_defects *defects)
{
	struct lab_package *package;
	struct lab_cpu *cpu;
	unsigned long flags;
	int at;

	local_irq_save(flags);
	for (at = 0; at < lab_package_count; at++) {
		raw_spin_lock_nested(&lab_packages[at].lock, at);
		lab_advance(&lab_packages[at]);
	}
	lab_law = *law;
	lab_defects = *defects;
	lab_truth_clear();
	for (at = 0; at < lab_package_count; at++) {
		package = &lab_packages[at];
		package->instants = 0;
		package->step = 0;
		package->step_at = package->at;
		package->clock_permille = 1000;
		for_each_lab_cpu(cpu, package)
			if (cpu->busy)
				cpu->account = lab_account_of(cpu->tid, cpu->tgid, cpu->comm);
		reprice(package);
	}
	for (at = lab_package_count; at--;)
		raw_spin_unlock(&lab_packages[at].lock);
	local_irq_restore(flags);
}

u64 lab_register(int id, enum lab_domain domain)
{
	struct lab_package *package = &lab_packages[id];
	unsigned long flags;
	u64 nj;

	raw_spin_lock_irqsave(&package->lock, flags);
	lab_advance(package);
	nj = lab_defects.zero_domains & BIT(domain) ? 0 : package->latched[domain];
	raw_spin_unlock_irqrestore(&package->lock, flags);
	/* Good for a megajoule. */
	return (nj << 14) / NSEC_PER_SEC;
}

u64 lab_count(int cpu, enum lab_signal signal)
{
	struct lab_package *package;
	unsigned long flags;
	u64 count;

	package = lock_package(cpu, &flags);
	if (!package)
		return 0;
	lab_advance(package);
	count = lab_cpus[cpu].count[signal].whole;
	raw_spin_unlock_irqrestore(&package->lock, flags);
	return count;
}

int lab_machine_init(void)
{
	u64 now = ktime_get_ns();
	int cpu, id, domain;

	for_each_online_cpu(cpu) {
		id = topology_logical_package_id(cpu);
		if (cpu >= LAB_CPUS || id < 0 || id >= LAB_PACKAGES)
			continue;
		lab_cpus[cpu].cpu = cpu;
		lab_cpus[cpu].package = &lab_packages[id];
		lab_package_count = max(lab_package_count, id + 1);
	}
	for (id = 0; id < lab_package_count; id++) {
		struct lab_package *package = &lab_packages[id];

		raw_spin_lock_init(&package->lock);
		package->id = id;
		package->at = now;
		package->clock_permille = 1000;
		/* Registers count since power-on. */
		for (domain = LAB_CORES; domain < LAB_DOMAINS; domain++)
			package->energy[domain].whole = 5000000000ULL * (domain + id);
		package->edge = div_u64(now, 1003100) + 2;
		package->edge_at = lab_edge_time(id, package->edge);
		reprice(package);
	}
	return 0;
}
