//! What ran, for how long, and what the hardware counted meanwhile.

pub use eprof_common::COUNTERS;
use serde::{Deserialize, Serialize};

use super::TaskId;
use crate::unit::{Nanos, Timestamp};

/// A set of CPUs that the finest meter in use cannot tell apart: the grain at
/// which CPU time is accounted (a package, or a core).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CpuGroupId(pub u16);

/// A hardware counter; the number is its place in [`Signals::counts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counter {
    /// CPU cycles (`PERF_COUNT_HW_CPU_CYCLES`).
    Cycles,
    /// Cycles of a clock of fixed frequency (`PERF_COUNT_HW_REF_CPU_CYCLES`).
    ReferenceCycles,
    /// Retired instructions (`PERF_COUNT_HW_INSTRUCTIONS`).
    Instructions,
    /// Misses of the last-level cache (`PERF_COUNT_HW_CACHE_MISSES`).
    CacheMisses,
}

impl Counter {
    /// All of them, in the order of their places.
    pub const ALL: [Self; COUNTERS] = [
        Self::Cycles,
        Self::ReferenceCycles,
        Self::Instructions,
        Self::CacheMisses,
    ];

    /// As it is called in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::ReferenceCycles => "reference-cycles",
            Self::Instructions => "instructions",
            Self::CacheMisses => "cache-misses",
        }
    }
}

/// What was measured while something ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signals {
    /// Time on a CPU.
    pub on_cpu: Nanos,
    /// Of it, the time in which the CPU's SMT sibling was busy too; zero
    /// where there are no siblings.
    pub smt_shared: Nanos,
    /// Events by [`Counter`]; zero for those that are not counted.
    pub counts: [u64; COUNTERS],
    /// How often it was switched out.
    pub switches: u32,
    /// Of those, how often because it went to sleep: so often it was woken.
    pub wakeups: u32,
    /// How often it ran on another CPU than the last time (target only).
    pub migrations: u32,
}

impl Signals {
    /// Nothing but time on a CPU.
    pub fn of_time(on_cpu: Nanos) -> Self {
        Self {
            on_cpu,
            ..Self::default()
        }
    }

    /// CPU cycles; zero where they are not counted.
    pub fn cycles(&self) -> u64 {
        self.counts[Counter::Cycles as usize]
    }

    /// Whether nothing ran.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl std::ops::SubAssign for Signals {
    /// Takes a part away; there is never less than nothing.
    fn sub_assign(&mut self, part: Self) {
        self.on_cpu = self.on_cpu.saturating_sub(part.on_cpu);
        self.smt_shared = self.smt_shared.saturating_sub(part.smt_shared);
        for (whole, count) in self.counts.iter_mut().zip(part.counts) {
            *whole = whole.saturating_sub(count);
        }
        self.switches = self.switches.saturating_sub(part.switches);
        self.wakeups = self.wakeups.saturating_sub(part.wakeups);
        self.migrations = self.migrations.saturating_sub(part.migrations);
    }
}

impl std::ops::AddAssign for Signals {
    fn add_assign(&mut self, other: Self) {
        self.on_cpu += other.on_cpu;
        self.smt_shared += other.smt_shared;
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum = sum.saturating_add(count);
        }
        self.switches = self.switches.saturating_add(other.switches);
        self.wakeups = self.wakeups.saturating_add(other.wakeups);
        self.migrations = self.migrations.saturating_add(other.migrations);
    }
}

/// What one CPU did during an interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuAccount {
    /// The logical CPU.
    pub cpu: u32,
    /// Kernel threads.
    pub kernel: Signals,
    /// Processes outside the target.
    pub other: Signals,
    /// eprof itself.
    pub eprof: Signals,
    /// The target, all threads together.
    pub target: Signals,
}

impl CpuAccount {
    /// Time in anything but the idle task.
    pub fn busy(&self) -> Nanos {
        self.kernel.on_cpu + self.other.on_cpu + self.eprof.on_cpu + self.target.on_cpu
    }

    /// Everything but the idle task, together.
    pub fn all(&self) -> Signals {
        let mut all = self.kernel;
        all += self.other;
        all += self.eprof;
        all += self.target;
        all
    }

    /// Adds what the same CPU did in another interval.
    pub fn add(&mut self, other: &Self) {
        self.kernel += other.kernel;
        self.other += other.other;
        self.eprof += other.eprof;
        self.target += other.target;
    }
}

/// What one thread of the target did in one zone during an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadAccount {
    /// Who.
    pub task: TaskId,
    /// Where it ran.
    pub group: CpuGroupId,
    /// What it did.
    pub signals: Signals,
}

impl ThreadAccount {
    /// Adds what the same thread did in the same zone in another interval.
    pub fn add(&mut self, other: &Self) {
        self.signals += other.signals;
    }
}

/// The accounts of one closed interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntervalAccounts {
    /// Start of the interval.
    pub begin: Timestamp,
    /// End of the interval; slices that straddle it were split there.
    pub end: Timestamp,
    /// One entry per online CPU.
    pub cpus: Vec<CpuAccount>,
    /// One entry per thread and zone that ran.
    pub threads: Vec<ThreadAccount>,
}
