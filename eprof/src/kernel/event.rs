//! What comes out of the kernel, decoded: tasks, accounts, samples, mappings.

use std::collections::BTreeMap;

pub use eprof_common::COUNTERS;
use eprof_common::sample::Anchor;
use eprof_common::{Registers, WalkEnd};
use serde::{Deserialize, Serialize};

use crate::unit::{Nanos, Timestamp};

/// One incarnation of a thread, in the order in which they were found.
///
/// A new incarnation begins at fork and at exec, so that neither a reused PID
/// nor an exec ever merges two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u32);

/// A thread between its fork or exec and its exit or next exec.
///
/// Threads are identified by `(tid, start)`, processes by
/// `(pid, start of the leader, generation)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Position in the recording's list.
    pub id: TaskId,
    /// Thread id, as eprof (and `ps` beside it) sees it.
    pub tid: u32,
    /// Process (thread group) id, likewise.
    pub pid: u32,
    /// When the thread was forked.
    pub start: Timestamp,
    /// When this incarnation began: `start`, or the time of the exec.
    pub born: Timestamp,
    /// How many execs the thread has behind it.
    pub generation: u32,
    /// The incarnation that forked or exec'ed into this one; `None` for the
    /// root of the target.
    pub parent: Option<TaskId>,
    /// The thread's name when it was found.
    pub comm: String,
}

/// A set of CPUs that the finest meter in use cannot tell apart: the grain at
/// which CPU time is accounted (a package, or a core).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ZoneId(pub u16);

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
    pub crowded: Nanos,
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
        self.crowded = self.crowded.saturating_sub(part.crowded);
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
        self.crowded += other.crowded;
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
    pub zone: ZoneId,
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

/// How a stack ended. The order of the alternatives is part of the format of
/// recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StackEnd {
    /// The root was reached. (Where stacks are walked by frame pointers only,
    /// the walk ended by itself, which does not prove it.)
    Complete,
    /// There are more frames than are walked.
    Truncated,
    /// There was no stack of this kind (a kernel stack in user mode).
    Absent,
    /// The kernel's walk failed.
    Failed,
    /// In code without unwind information, there was no sound frame pointer.
    NoTable,
    /// The stack could not be read.
    Unreadable,
    /// The unwind information says what eprof does not follow.
    Unsupported,
    /// The next frame would not lie above the last: the walk went astray.
    Astray,
    /// The return address was not that of any code.
    LeftCode,
    /// The stack is longer than what was copied of it.
    CopyEnded,
}

impl StackEnd {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::Complete,
        Self::Truncated,
        Self::Absent,
        Self::Failed,
        Self::NoTable,
        Self::Unreadable,
        Self::Unsupported,
        Self::Astray,
        Self::LeftCode,
        Self::CopyEnded,
    ];

    /// As it is called in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Truncated => "truncated",
            Self::Absent => "absent",
            Self::Failed => "failed",
            Self::NoTable => "no-table",
            Self::Unreadable => "unreadable",
            Self::Unsupported => "unsupported",
            Self::Astray => "astray",
            Self::LeftCode => "left-code",
            Self::CopyEnded => "copy-ended",
        }
    }

    /// What the end of a walk means; [`WalkEnd::PENDING`], which is no end, as
    /// code without unwind information.
    pub(crate) fn of(end: WalkEnd) -> Self {
        match end {
            WalkEnd::ROOT | WalkEnd::BY_POINTERS => Self::Complete,
            WalkEnd::ABSENT => Self::Absent,
            WalkEnd::DEEP => Self::Truncated,
            WalkEnd::NO_TABLE | WalkEnd::PENDING => Self::NoTable,
            WalkEnd::FAULT => Self::Unreadable,
            WalkEnd::UNSUPPORTED => Self::Unsupported,
            WalkEnd::STUCK => Self::Astray,
            WalkEnd::LEFT_CODE => Self::LeftCode,
            WalkEnd::COPY_ENDS => Self::CopyEnded,
            _ => Self::Failed,
        }
    }
}

/// A copy of the upper end of a stack, and where the walk through it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackCopy {
    /// The number of the process, in the initial PID namespace.
    pub process: u32,
    /// The serial number of the thread's incarnation; zero without a slot.
    pub thread: u64,
    /// The registers of the first frame that was not walked yet.
    pub registers: Registers,
    /// The address of the first byte.
    pub base: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The address of the first byte of the stack's outer end, and its bytes;
    /// none where that was not copied, too.
    pub outer: (u64, Vec<u8>),
    /// Whether it ends where the stack does, as far as could be read.
    pub whole: bool,
    /// What the kernel walked beyond the code that it did not know.
    pub beyond: Option<Beyond>,
}

impl StackCopy {
    /// Bytes of the stack that it has.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.outer.1.len()
    }
}

/// A walk that left a gap: it is that of this stack only if the walk through
/// the copy comes to its first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beyond {
    /// The first frame.
    pub anchor: Anchor,
    /// The frames from there on, leaf first, with `INTERRUPTED` where they are.
    pub frames: Vec<u64>,
    /// How the walk ended.
    pub end: WalkEnd,
}

/// One stack sample of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The thread; `None` when it has no slot (counted as a loss).
    pub task: Option<TaskId>,
    /// When.
    pub at: Timestamp,
    /// Which CPU.
    pub cpu: u32,
    /// Time since the thread's last sample on this CPU, or since it was
    /// switched in there, whichever is later.
    pub spent: Nanos,
    /// Events by [`Counter`] since then.
    pub counts: [u64; COUNTERS],
    /// Kernel frames, leaf first.
    pub kernel: Vec<u64>,
    /// How the kernel stack ended.
    pub kernel_end: StackEnd,
    /// User frames, leaf first.
    pub user: Vec<u64>,
    /// The positions in `user`, apart from the first, of code that was
    /// interrupted by a signal: these are no return addresses.
    pub interrupted: Vec<usize>,
    /// How the user stack ended; of no meaning where there is a copy.
    pub user_end: StackEnd,
    /// What is yet to be walked.
    pub copy: Option<Box<StackCopy>>,
}

/// The identity of a file on its file system, as the kernel knows it.
///
/// `device` is that of the superblock, which on btrfs and overlayfs need not
/// be the one that `stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inode {
    /// Major and minor number of the device, as `libc::makedev` packs them.
    pub device: u64,
    /// Inode number.
    pub number: u64,
    /// Differs between files that had the same number one after the other;
    /// zero on some file systems.
    pub generation: u64,
}

/// An executable mapping that came into a process of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Process id.
    pub pid: u32,
    /// When.
    pub at: Timestamp,
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// Offset in the file of `start`.
    pub offset: u64,
    /// The path in the process's mount namespace, or `[vdso]`, `//anon`, ….
    pub path: String,
    /// GNU build id of the file, where the kernel could read it.
    pub build_id: Option<Vec<u8>>,
    /// The file's inode, where the kernel told it instead of a build id.
    pub inode: Option<Inode>,
    /// Whether this is the first mapping since an exec, so that everything
    /// that was mapped before is gone. A new image is mapped before the
    /// kernel reports the exec itself: `Task::born` comes too late for this.
    pub fresh: bool,
}

/// What the kernel side reports between intervals, in order of time for any
/// one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelEvent {
    /// A thread came into being, or exec'ed.
    Born(Task),
    /// A thread changed its name.
    Renamed {
        /// Which.
        task: TaskId,
        /// When it was noticed.
        at: Timestamp,
        /// The new name.
        comm: String,
    },
    /// A thread ended (or exec'ed; the next incarnation is already born).
    Gone {
        /// Which.
        task: TaskId,
        /// When.
        at: Timestamp,
    },
    /// A stack was sampled.
    Sample(Sample),
    /// Code was mapped.
    Mapped(Mapping),
}

/// Everything that was lost, by reason; names in kebab-case, e.g.
/// `ring-full`, `slots-full`, `user-stack-failed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Loss(pub BTreeMap<String, u64>);

impl Loss {
    /// Counts `n` more losses for `reason`; nothing is stored for zero.
    pub fn count(&mut self, reason: &str, n: u64) {
        if n > 0 {
            *self.0.entry(reason.to_owned()).or_default() += n;
        }
    }
}
