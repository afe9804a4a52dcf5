//! Rows of the profile. Energies of rows of one kind add up to the target's
//! account in the ledger, except where said otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::attribute::{Energy, HalfWidth, Ledger, Weighing};
use crate::carbon::Carbon;
use crate::caveat::Caveat;
use crate::measurement::{COUNTERS, Counter, Event, Events, Loss, MeterId, Provenance, Signals};
use crate::recording::{Footprint, Header, UNFINISHED};
use crate::unit::{Microjoules, Nanos, Timestamp};

/// Identity of a process: a reused PID or an exec makes another one, and so
/// does another run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessKey {
    /// Position in [`Profile::members`]; 0 where there are none.
    pub member: usize,
    /// Process id.
    pub pid: u32,
    /// When its leader was forked.
    pub start: Timestamp,
    /// How many execs it has behind it.
    pub generation: u32,
}

/// What was run, for how long, and with what result.
#[derive(Clone, Debug)]
pub struct Summary {
    /// As recorded at the start.
    pub header: Header,
    /// What rows count: events that were recorded and can be trusted, in all
    /// runs. Of others, rows have numbers that mean nothing.
    pub events: Vec<Event>,
    /// What the target did, all threads together.
    pub signals: Signals,
    /// From the start of the target to its end.
    pub duration: Nanos,
    /// The target's exit code; `None` when the recording was cut off.
    pub exit_code: Option<i32>,
    /// How well all disjoint meters know it: the weakest of them decides.
    pub provenance: Provenance,
    /// For estimates: the factor range that holds the truth in 90 % of cases.
    pub band: Option<(f64, f64)>,
    /// What eprof cost.
    pub footprint: Footprint,
    /// Samples taken in all.
    pub samples: u64,
    /// How their stacks ended.
    pub stacks: StackShare,
    /// What the energy of each meter was divided by.
    pub weighings: Vec<Weighing>,
    /// What the energy is converted to greenhouse gas by, if it is.
    pub carbon: Option<Carbon>,
}

impl Summary {
    /// Whether rows count `event`.
    pub fn counts(&self, event: impl Into<Event>) -> bool {
        self.events.contains(&event.into())
    }

    /// What a row's `events` say of one of them; `None` where that was not
    /// counted or cannot be trusted.
    pub fn counted(&self, events: &Events, event: impl Into<Event>) -> Option<u64> {
        let event = event.into();
        self.counts(event).then(|| events[event])
    }

    /// The same of the hardware counters alone.
    pub fn counted_by(&self, counts: &[u64; COUNTERS], counter: Counter) -> Option<u64> {
        self.counts(counter).then(|| counts[counter as usize])
    }
}

/// How many stacks are whole, and why the others are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackShare {
    /// Samples with a stack.
    pub samples: u64,
    /// Of these, how many do not reach their root, by reason (see
    /// [`StackEnd::name`](crate::measurement::StackEnd::name)).
    pub ended: BTreeMap<&'static str, u64>,
}

impl StackShare {
    /// Samples whose stack reaches its root.
    pub fn whole(&self) -> u64 {
        self.samples.saturating_sub(self.ended.values().sum())
    }
}

/// One process of the target.
#[derive(Clone, Debug)]
pub struct ProcessRow {
    /// Which.
    pub key: ProcessKey,
    /// Its parent's key, if that is in the target.
    pub parent: Option<ProcessKey>,
    /// Its last name.
    pub comm: String,
    /// How many threads ran.
    pub threads: u32,
    /// Energy.
    pub energy: Energy,
    /// 90 % half width of `energy.with_idle`.
    pub ci90: Microjoules,
    /// CPU time.
    pub cpu: Nanos,
    /// What was counted in it; see [`Summary::events`].
    pub events: Events,
    /// Samples.
    pub samples: u64,
}

/// All processes of one name; see [`Profile::commands`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRow {
    /// The last name of each of them.
    pub comm: String,
    /// How many there are (task instances: a reused PID or an exec counts
    /// again).
    pub processes: u64,
    /// Energy.
    pub energy: Energy,
    /// An upper bound of the 90 % half width of `energy.with_idle`.
    pub ci90: Microjoules,
    /// CPU time.
    pub cpu: Nanos,
    /// What was counted in it; see [`Summary::events`].
    pub events: Events,
    /// Samples.
    pub samples: u64,
}

/// One thread of the target (one task instance).
#[derive(Clone, Debug)]
pub struct ThreadRow {
    /// Its process.
    pub process: ProcessKey,
    /// Thread id.
    pub tid: u32,
    /// When it was forked.
    pub start: Timestamp,
    /// Its last name.
    pub comm: String,
    /// Energy.
    pub energy: Energy,
    /// 90 % half width of `energy.with_idle`.
    pub ci90: Microjoules,
    /// What that is made of.
    pub width: HalfWidth,
    /// Number of equally heavy samples that would tell as much about how the
    /// energy divides over the stacks.
    pub effective: f64,
    /// CPU time.
    pub cpu: Nanos,
    /// What was counted in it; see [`Summary::events`].
    pub events: Events,
    /// Samples.
    pub samples: u64,
    /// Per meter, nested ones too.
    pub meters: Vec<(MeterId, Energy)>,
}

/// Identity of a function in reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionKey {
    /// Demangled name, or `[unknown]`, `[unsampled]`, ….
    pub function: String,
    /// File name of the object, `[kernel]`, or empty.
    pub module: String,
}

/// One function. `own` adds up to the target; `total` does not (callers
/// contain their callees).
#[derive(Clone, Debug)]
pub struct FunctionRow {
    /// Which.
    pub key: FunctionKey,
    /// Energy while it was the leaf.
    pub own: Energy,
    /// Energy while it was anywhere on the stack, counted once per stack.
    pub total: Energy,
    /// 90 % half width of `own.with_idle`.
    pub ci90: Microjoules,
    /// CPU time while it was the leaf.
    pub cpu: Nanos,
    /// What was counted in it, by [`Counter`]; see [`Summary::events`].
    pub counts: [u64; COUNTERS],
    /// Samples with it as the leaf.
    pub samples: u64,
}

/// One module (object file) by the leaf frame.
#[derive(Clone, Debug)]
pub struct ModuleRow {
    /// File name of the object, `[kernel]`, `[unsampled]`, ….
    pub module: String,
    /// Energy while its code was the leaf.
    pub own: Energy,
    /// 90 % half width.
    pub ci90: Microjoules,
    /// Samples.
    pub samples: u64,
}

/// One CPU.
#[derive(Clone, Debug)]
pub struct CpuRow {
    /// Which.
    pub cpu: u32,
    /// The target's energy on it.
    pub energy: Energy,
    /// The target's time on it.
    pub on_cpu: Nanos,
}

/// A frame with its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolFrame {
    /// The function; one for all frames.
    pub key: Arc<FunctionKey>,
    /// Whether it was inlined into the frame before it.
    pub inlined: bool,
}

/// One distinct stack of one thread, resolved.
#[derive(Clone, Debug)]
pub struct StackRow {
    /// Index into [`Profile::threads`].
    pub thread: usize,
    /// Root first, without the process and thread levels. Rows with the same
    /// frames share them.
    pub frames: Arc<[SymbolFrame]>,
    /// Energy.
    pub energy: Energy,
    /// Its part of the thread's CPU time, by its samples. Σ = the thread's.
    pub cpu: Nanos,
    /// Its part of what the thread counted, by [`Counter`], as its samples
    /// counted. Σ = the thread's; see [`Summary::events`].
    pub counts: [u64; COUNTERS],
    /// Samples.
    pub samples: u64,
}

/// One of the runs whose profiles were added up.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberRow {
    /// What tells it from the others: host, rank, or the name of its file.
    pub name: String,
    /// The host that it ran on.
    pub host: String,
    /// Its other labels: `rank`, `file`, ….
    pub labels: BTreeMap<String, String>,
    /// What was run.
    pub argv: Vec<String>,
    /// When it started, nanoseconds since 1970.
    pub started_unix_ns: u64,
    /// From the start of the target to its end.
    pub duration: Nanos,
    /// The target's exit code; `None` when the recording was cut off.
    pub exit_code: Option<i32>,
    /// Whether another of the runs went on at the same time on the same host,
    /// so that both have read the same meters.
    pub overlaps: bool,
    /// What its meters said.
    pub total: Microjoules,
    /// Energy of the target.
    pub energy: Energy,
    /// 90 % half width of `energy.with_idle`.
    pub ci90: Microjoules,
    /// The target's CPU time.
    pub cpu: Nanos,
    /// Samples.
    pub samples: u64,
}

/// Everything an output needs, and nothing it has to compute.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The runs that this is the sum of; empty where it is one run's.
    pub members: Vec<MemberRow>,
    /// What was run.
    pub summary: Summary,
    /// Where the energy went, per meter.
    pub ledger: Ledger,
    /// Σ = target. Most energy first; ties by key.
    pub processes: Vec<ProcessRow>,
    /// Σ = target. Most energy first; ties by identity.
    pub threads: Vec<ThreadRow>,
    /// Σ own = target. Most own energy first; ties by key.
    pub functions: Vec<FunctionRow>,
    /// Σ = target.
    pub modules: Vec<ModuleRow>,
    /// Σ = target.
    pub cpus: Vec<CpuRow>,
    /// Σ = target. In order of thread, then frames.
    pub stacks: Vec<StackRow>,
    /// What was lost.
    pub losses: Loss,
    /// What makes the numbers less true.
    pub caveats: Vec<Caveat>,
}

impl Profile {
    /// Whether the recording (or one of several) has no end, so that what is told
    /// there, losses and eprof's own cost, is not known.
    pub fn is_unfinished(&self) -> bool {
        self.caveats.iter().any(|caveat| caveat.code == UNFINISHED)
    }
}
