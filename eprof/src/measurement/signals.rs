//! What ran, for how long, and what the hardware counted meanwhile.

use std::ops::{AddAssign, Index, IndexMut, SubAssign};

use serde::{Deserialize, Serialize};

use super::event::{COUNTERS, Event, Events};
use super::task::TaskId;
use crate::unit::{Nanos, Timestamp};

/// A set of CPUs that the finest meter in use cannot tell apart: the grain at
/// which CPU time is accounted (a package, or a core).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CpuGroupId(pub u16);

/// What was measured while something ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signals {
    /// Time on a CPU.
    pub on_cpu: Nanos,
    /// What was counted meanwhile.
    pub events: Events,
}

impl Signals {
    /// Nothing but time on a CPU.
    pub fn of_time(on_cpu: Nanos) -> Self {
        Self {
            on_cpu,
            ..Self::default()
        }
    }

    /// Time on a CPU, and what the hardware counters counted in it.
    pub fn counted(on_cpu: Nanos, counts: [u64; COUNTERS]) -> Self {
        Self {
            on_cpu,
            events: Events::counted(counts),
        }
    }

    /// Of the time on a CPU, the time in which the CPU's SMT sibling was busy,
    /// too; none where there are no siblings.
    pub fn smt_shared(&self) -> Nanos {
        Nanos(self[Event::SmtShared])
    }

    /// Whether nothing ran.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl<E: Into<Event>> Index<E> for Signals {
    type Output = u64;

    fn index(&self, event: E) -> &u64 {
        &self.events[event]
    }
}

impl<E: Into<Event>> IndexMut<E> for Signals {
    fn index_mut(&mut self, event: E) -> &mut u64 {
        &mut self.events[event]
    }
}

impl SubAssign for Signals {
    /// Takes a part away; there is never less than nothing.
    fn sub_assign(&mut self, part: Self) {
        let Self { on_cpu, events } = part;
        self.on_cpu = self.on_cpu.saturating_sub(on_cpu);
        self.events -= events;
    }
}

impl AddAssign for Signals {
    fn add_assign(&mut self, other: Self) {
        let Self { on_cpu, events } = other;
        self.on_cpu += on_cpu;
        self.events += events;
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
        self.classes().iter().map(|class| class.on_cpu).sum()
    }

    /// What each class of tasks did: kernel threads, others, eprof, the target.
    pub fn classes(&self) -> [Signals; 4] {
        let Self {
            cpu: _,
            kernel,
            other,
            eprof,
            target,
        } = *self;
        [kernel, other, eprof, target]
    }

    /// Everything but the idle task, together.
    pub fn all(&self) -> Signals {
        let mut all = Signals::default();
        for class in self.classes() {
            all += class;
        }
        all
    }

    /// Adds what the same CPU did in another interval.
    pub fn add(&mut self, more: &Self) {
        let Self {
            cpu: _,
            kernel,
            other,
            eprof,
            target,
        } = *more;
        self.kernel += kernel;
        self.other += other;
        self.eprof += eprof;
        self.target += target;
    }
}

/// What one thread of the target did in one CPU group during an interval.
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
    /// Adds what the same thread did in the same group in another interval.
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
    /// One entry per thread and CPU group that ran.
    pub threads: Vec<ThreadAccount>,
}
