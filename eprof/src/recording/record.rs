//! The records of a recording, in the order in which they may appear:
//! [`Header`] first, [`End`] last, each definition before its first use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::caveat::Caveat;
use crate::measurement::{
    Baseline, COUNTERS, Counter, CpuAccount, CpuGroup, CpuGroupId, Event, Frame, Lines, Loss,
    Meter, Object, ObjectId, Reading, Segment, StackId, StackNode, Symbol, Task, TaskId,
    ThreadAccount,
};
use crate::power::PowerModel;
use crate::unit::{Nanos, Timestamp};

/// The command that was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Program and arguments, as given (lossily converted to UTF-8).
    pub argv: Vec<String>,
    /// The working directory.
    pub directory: String,
}

/// What is known before the target starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of eprof that recorded.
    pub eprof: String,
    /// The origin and hash of the kernel programs.
    pub object: String,
    /// Wall-clock time of the start, nanoseconds since 1970 (UTC); only shown.
    pub wall_clock_ns: u64,
    /// The same instant on the one clock.
    pub started: Timestamp,
    /// The host's name, kernel release and CPU model, only shown.
    pub host: String,
    /// Kernel release.
    pub kernel: String,
    /// CPU model name.
    pub cpu_model: String,
    /// What was run.
    pub command: Command,
    /// Samples per second and CPU; zero where stacks were not sampled.
    pub frequency_hz: u32,
    /// Nominal length of an interval.
    pub interval: Nanos,
    /// What the accounts count, in the order in which they have it. At the
    /// end it may turn out that some counters cannot be trusted
    /// ([`End::distrusted`]).
    pub events: Vec<Event>,
    /// How the target was followed: `cgroup` or `fork`.
    pub follow: String,
    /// The meters in use, `id` = position.
    pub meters: Vec<Meter>,
    /// The CPU groups, `id` = position.
    pub cpu_groups: Vec<CpuGroup>,
    /// Idle power per meter, where known.
    pub baselines: Vec<Baseline>,
    /// Saved power models of the meters, where there are some.
    pub models: Vec<PowerModel>,
    /// What is already known to make the numbers less true.
    pub caveats: Vec<Caveat>,
}

impl Header {
    /// Whether the accounts have this event.
    pub fn counts(&self, event: impl Into<Event>) -> bool {
        self.events.contains(&event.into())
    }

    /// The hardware counters that the accounts, and samples, have.
    pub fn counters(&self) -> impl Iterator<Item = Counter> {
        self.events.iter().filter_map(|event| match event {
            Event::Counter(counter) => Some(*counter),
            _ => None,
        })
    }
}

/// How often a thread was sampled with a stack during an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleCount {
    /// Which thread.
    pub task: TaskId,
    /// In which CPU group.
    pub group: CpuGroupId,
    /// With which stack.
    pub stack: StackId,
    /// How often.
    pub count: u32,
    /// The thread's time that these samples stand for: from the sample before
    /// (or the switch to the thread) to each of them.
    pub spent: Nanos,
    /// Events by [`Counter`] in that time.
    #[serde(with = "crate::measurement::event::by_counter")]
    pub counts: [u64; COUNTERS],
}

impl SampleCount {
    /// Adds samples of the same thread, CPU group and stack.
    pub fn add(&mut self, other: &Self) {
        let Self {
            task: _,
            group: _,
            stack: _,
            count,
            spent,
            counts,
        } = *other;
        self.count = self.count.saturating_add(count);
        self.spent += spent;
        for (sum, count) in self.counts.iter_mut().zip(counts) {
            *sum = sum.saturating_add(count);
        }
    }
}

/// One closed interval: raw readings at its end, accounts, samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IntervalRecord {
    /// Start, the end of the interval before.
    pub begin: Timestamp,
    /// End.
    pub end: Timestamp,
    /// The readings taken at `end`. A meter that could not be read is absent.
    /// The first record of a recording has `begin == end`, no accounts, and
    /// holds the readings at the start.
    pub readings: Vec<Reading>,
    /// What each CPU did.
    pub cpus: Vec<CpuAccount>,
    /// What each thread of the target did.
    pub threads: Vec<ThreadAccount>,
    /// The samples.
    pub samples: Vec<SampleCount>,
}

/// What the intervals of a recording cover together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// How many there are, the beginning included.
    pub intervals: u64,
    /// The beginning of the first.
    pub begin: Timestamp,
    /// The end of the last.
    pub end: Timestamp,
}

impl Extent {
    /// Takes in the next interval.
    pub fn add(&mut self, begin: Timestamp, end: Timestamp) {
        if self.intervals == 0 {
            self.begin = begin;
        }
        self.end = end;
        self.intervals += 1;
    }
}

/// What eprof itself cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Footprint {
    /// CPU time of eprof's own process while the target ran.
    pub cpu: Nanos,
    /// Peak resident set size in bytes.
    pub peak_rss: u64,
    /// Runs of each kernel program and their mean cost in nanoseconds, where
    /// it was measured: (name, runs, mean).
    pub programs: Vec<(String, u64, Option<f64>)>,
}

/// What is known when the target has ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// When the target ended.
    pub ended: Timestamp,
    /// Its exit code; 128 + signal where it was killed.
    pub exit_code: i32,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// What was lost.
    pub losses: Loss,
    /// Counters that did not count all the time, ascending: what they counted
    /// is no weight.
    pub distrusted: Vec<Counter>,
    /// What eprof cost.
    pub footprint: Footprint,
    /// What makes the numbers less true.
    pub caveats: Vec<Caveat>,
    /// The intervals that were closed: where some were cut out, that is noticed.
    pub extent: Extent,
}

/// One record. New kinds go at the end, and raise the format's version; so
/// old recordings stay readable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// First.
    Header(Box<Header>),
    /// A thread; `id` counts up from zero.
    Task(Task),
    /// A thread's new name.
    Renamed {
        /// Which.
        task: TaskId,
        /// When.
        at: Timestamp,
        /// The name.
        comm: String,
    },
    /// A thread's end.
    Gone {
        /// Which.
        task: TaskId,
        /// When.
        at: Timestamp,
    },
    /// The next object; ids count up from zero in order of appearance.
    Object(Object),
    /// The next frame, likewise.
    Frame(Frame),
    /// The next node of the tree of stacks, likewise.
    Stack(StackNode),
    /// A closed interval.
    Interval(IntervalRecord),
    /// A frame's functions.
    Symbol(Symbol),
    /// Last.
    End(Box<End>),
    /// The source lines of a frame's functions.
    Lines(Lines),
    /// The code segments of an object.
    Segments {
        /// The object.
        object: ObjectId,
        /// Its executable segments, in the order of the file.
        segments: Vec<Segment>,
    },
    /// What tells this run from others that belong to the same job.
    Labels {
        /// `rank`: the number of the process in a parallel job.
        labels: BTreeMap<String, String>,
    },
}
