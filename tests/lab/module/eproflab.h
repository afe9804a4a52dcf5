/* SPDX-License-Identifier: GPL-2.0 */
/*
 * eproflab: hardware that does not exist, for a virtual machine.
 *
 * Every task has a character: how fast it runs, what it executes, how often it
 * misses the last-level cache. A power law turns the characters of the tasks
 * that run into watts. Energies and counts are integrated exactly, from one
 * change of state to the next; perf PMUs and powercap zones show of them what
 * hardware would show, and debugfs shows the truth.
 */
#ifndef EPROFLAB_H
#define EPROFLAB_H

#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#define LAB_PACKAGES 2
#define LAB_CPUS 16

/* What the CPUs count. */
enum lab_signal {
	LAB_CYCLES,
	LAB_REF_CYCLES,
	LAB_INSTRUCTIONS,
	LAB_MISSES,
	LAB_SIGNALS,
};

/* What the packages measure, by the numbers of arch/x86/events/rapl.c. */
enum lab_domain {
	LAB_CORES = 1,
	LAB_PKG = 2,
	LAB_RAM = 3,
	LAB_DOMAINS,
};

/* A sum of rate × time: whole units, and what is not yet one. */
struct lab_sum {
	u64 whole;
	u64 rest;
};

#define LAB_UW_NS_PER_NJ 1000000ULL
#define LAB_HZ_NS_PER_COUNT 1000000000ULL

static inline void lab_add(struct lab_sum *sum, u64 rate, u64 ns, u64 per_unit)
{
	sum->rest += rate * ns;
	sum->whole += sum->rest / per_unit;
	sum->rest %= per_unit;
}

/* What a task is like; see character.c. */
struct lab_character {
	u32 mhz;
	u32 instructions_permille;	/* per cycle */
	u32 kilo_misses;		/* per second */
	u32 hidden_permille;		/* power that no counter shows */
};

void lab_character_of(const char *comm, struct lab_character *character);

/* One row of the truth: what (tid, comm) used on each package. */
struct lab_account {
	pid_t tid, tgid;
	char comm[TASK_COMM_LEN];
	struct {
		u64 ns;
		struct lab_sum core, uncore, ram;	/* nJ */
	} used[LAB_PACKAGES];
	struct lab_account *next;
};

struct lab_account *lab_account_of(pid_t tid, pid_t tgid, const char *comm);
/* Forgets all accounts. The caller sees to it that nobody uses one. */
void lab_truth_clear(void);
int lab_truth_init(void);
void lab_truth_exit(void);
extern const struct file_operations lab_truth_fops;

/* Power, in microwatts. */
struct lab_power {
	u32 core, uncore, ram;
};

/* The law in force, and the defects; see law.c. */
struct lab_law {
	bool smt;	/* busy siblings draw less than twice the power */
	bool steps;	/* the clock frequency changes now and then */
	bool mix;	/* the hidden factor matters */
};

struct lab_defects {
	u32 noise_permille;	/* of an update's energy, either way */
	u32 doubled_permille;	/* updates that are left out */
	u32 zero_domains;	/* bit mask of domains that read 0 */
	u64 stall_from, stall_until;
};

bool lab_law_parse(const char *name, struct lab_law *law);
void lab_law_price(const struct lab_law *law,
		   const struct lab_character *character, bool beside_busy,
		   u32 clock_permille, struct lab_power *power);
u64 lab_law_step(u64 step, u32 *clock_permille);
u32 lab_law_idle_uw(enum lab_domain domain);

/* A logical CPU. Everything in it is under the lock of its package. */
struct lab_cpu {
	struct lab_package *package;
	int cpu;
	bool busy;
	struct lab_character character;
	struct lab_power power;
	u64 rate[LAB_SIGNALS];	/* Hz */
	struct lab_sum count[LAB_SIGNALS];
	struct lab_account *account;
	pid_t tid, tgid;
	char comm[TASK_COMM_LEN];
};

/*
 * An instant in the history of a package: an update of the registers, or a
 * change of power. Between two of them, energy is linear in time.
 */
struct lab_instant {
	u64 ns;
	u64 nj[3];	/* cores, package, memory: the truth */
	u64 update;	/* whether the registers were updated */
};

#define LAB_INSTANTS 262144

struct lab_package {
	raw_spinlock_t lock;
	int id;
	u64 at;				/* everything is integrated up to here */
	u64 uw[LAB_DOMAINS];
	struct lab_sum energy[LAB_DOMAINS];	/* nJ */
	u64 latched[LAB_DOMAINS];	/* nJ, as the registers show it */
	u64 previous[LAB_DOMAINS];	/* the truth at the last update */
	u64 edge, edge_at;		/* number and time of the next update */
	struct lab_instant *history;	/* ring */
	u64 instants;			/* since the last reset */
	u64 step, step_at;		/* of the clock frequency */
	u32 clock_permille;
};

extern struct lab_cpu lab_cpus[LAB_CPUS];
extern struct lab_package lab_packages[LAB_PACKAGES];
extern int lab_package_count;
extern struct lab_law lab_law;
extern struct lab_defects lab_defects;

int lab_machine_init(void);
/* Integrates up to now. With the lock of the package. */
u64 lab_advance(struct lab_package *package);
/* Lets a CPU run a task from now on. Takes the lock. */
void lab_run(int cpu, const struct task_struct *task, const char *comm);
void lab_rename(const struct task_struct *task, const char *comm);
/* Begins anew with this law and these defects: energies go on. */
void lab_reset(const struct lab_law *law, const struct lab_defects *defects);
/* The registers, as hardware shows them: units of 2^-14 J. */
u64 lab_register(int package, enum lab_domain domain);
u64 lab_count(int cpu, enum lab_signal signal);

/* The updates of the registers; see edge.c. */
u64 lab_edge_time(int package, u64 edge);
void lab_latch(struct lab_package *package);

/* Adds the instant up to which the package is integrated; see history.c. */
void lab_remember(struct lab_package *package, bool update);
int lab_history_init(void);
void lab_history_exit(void);
extern const struct file_operations lab_history_fops;

int lab_power_pmu_init(void);
void lab_power_pmu_exit(void);
int lab_counter_pmu_init(void);
void lab_counter_pmu_exit(void);
int lab_powercap_init(void);
void lab_powercap_exit(void);
/* The registers of the zones wrap when this much more was used. */
void lab_powercap_wrap_in(u32 joules);
int lab_files_init(void);
void lab_files_exit(void);

/* Whether there are counters, how many at once, and which stands still. */
extern bool lab_counters;
extern uint lab_counters_at_once;
extern int lab_counter_stalled;

int lab_apply(void);

/* A well-mixed 64-bit number from another (splitmix64). */
static inline u64 lab_hash(u64 x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

#endif
