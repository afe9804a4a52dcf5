//! The ledger: per meter, where the energy went. Every output comes from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::caveat::Caveat;
use crate::measurement::{COUNTERS, Domain, MeterId, Provenance, Signals, StackId, TaskId};
use crate::power::{Errors, Signal};
use crate::unit::{Microjoules, Nanos, Timestamp};

/// Who is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Account {
    /// The threads of the target.
    Target,
    /// Processes outside the target.
    Other,
    /// Kernel threads (interrupts are inside whatever they interrupted).
    Kernel,
    /// eprof itself.
    Eprof,
    /// The idle baseline that no consumer is charged with.
    Idle,
    /// Measured, but nothing ran that could be charged.
    Unattributed,
}

impl Account {
    /// All accounts, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Target,
        Self::Other,
        Self::Kernel,
        Self::Eprof,
        Self::Idle,
        Self::Unattributed,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Other => "other",
            Self::Kernel => "kernel",
            Self::Eprof => "eprof",
            Self::Idle => "idle",
            Self::Unattributed => "unattributed",
        }
    }
}

/// The energy of a row, in the two ways of counting it. Both balance against
/// the meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Energy {
    /// With the row's share of the idle baseline (by CPU time; the idle CPUs'
    /// share stays in the `idle` account).
    pub with_idle: Microjoules,
    /// Above the idle baseline only (all of the baseline is in `idle`). Equal
    /// to `with_idle` where the baseline is unknown: see
    /// [`MeterLedger::baseline`].
    pub above_idle: Microjoules,
}

impl std::ops::AddAssign for Energy {
    fn add_assign(&mut self, rhs: Self) {
        let Self {
            with_idle,
            above_idle,
        } = rhs;
        self.with_idle += with_idle;
        self.above_idle += above_idle;
    }
}

/// Half of a 90 % interval, by what causes it; the parts add in quadrature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HalfWidth {
    /// The register's update times against the interval boundaries, and its
    /// resolution; microjoules.
    pub timing: f64,
    /// A finite number of stack samples; microjoules.
    pub sampling: f64,
    /// The idle baseline's own error; microjoules.
    pub baseline: f64,
    /// Weights are not power: threads that take more or less power than their
    /// weights say; microjoules.
    pub weights: f64,
}

impl HalfWidth {
    /// The half width in microjoules, rounded up.
    pub fn total(self) -> Microjoules {
        let Self {
            timing,
            sampling,
            baseline,
            weights,
        } = self;
        let square = timing.powi(2) + sampling.powi(2) + baseline.powi(2) + weights.powi(2);
        Microjoules(square.sqrt().ceil() as u64)
    }
}

/// What divides energy above idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Time on a CPU.
    Time,
    /// CPU cycles.
    Cycles,
    /// A power model of all signals.
    Model,
}

impl Rule {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Cycles => "cycles",
            Self::Model => "model",
        }
    }
}

/// How one meter's energy above idle was divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weighing {
    /// Which meter.
    pub meter: MeterId,
    /// By what.
    pub rule: Rule,
    /// Why not by something better; empty where that is obvious.
    pub why: String,
    /// The signals of a model that weigh anything, with their weights in watts
    /// per unit of the rate.
    pub signals: Vec<(Signal, f64)>,
    /// Where the model began: `calibration`; empty for nowhere.
    pub prior: String,
    /// Errors of the model on blocks that it was not fitted to, where that was
    /// tried.
    pub held_out: Option<Errors>,
    /// Errors of CPU time alone on the same blocks.
    pub time_share: Option<Errors>,
    /// How many blocks there were.
    pub blocks: u64,
}

impl Weighing {
    /// By one signal.
    pub(super) fn simple(meter: MeterId, rule: Rule, why: &str) -> Self {
        Self {
            meter,
            rule,
            why: why.to_owned(),
            signals: Vec::new(),
            prior: String::new(),
            held_out: None,
            time_share: None,
            blocks: 0,
        }
    }

    /// By a model.
    pub(super) fn model(meter: MeterId, signals: &[(Signal, f64)], prior: String) -> Self {
        Self {
            signals: signals.to_vec(),
            prior,
            ..Self::simple(meter, Rule::Model, "")
        }
    }

    /// Notes how well a model and CPU time predict blocks that neither has
    /// seen.
    pub(super) fn score(&mut self, model: Option<Errors>, time: Option<Errors>, blocks: u64) {
        self.held_out = model;
        self.time_share = time;
        self.blocks = blocks;
    }
}

/// One meter's ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeterLedger {
    /// Which meter.
    pub meter: MeterId,
    /// What it counts.
    pub domain: Domain,
    /// Its name.
    pub name: String,
    /// Measured or estimated.
    pub provenance: Provenance,
    /// Whether another meter of the ledger contains it; never added then.
    pub nested: bool,
    /// What the meter counted, over the whole run.
    pub total: Microjoules,
    /// Time for which the meter's energy is unknown.
    pub unknown: Nanos,
    /// The idle baseline's total, `None` where idle power is unknown.
    pub baseline: Option<Microjoules>,
    /// Per account. All accounts are present.
    pub accounts: BTreeMap<Account, Energy>,
    /// 90 % half width per account.
    pub widths: BTreeMap<Account, HalfWidth>,
}

/// All meters' ledgers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// One per meter, in the order of the recording.
    pub meters: Vec<MeterLedger>,
}

impl Ledger {
    /// The meters that add up to the machine's energy: those that no other
    /// meter contains.
    pub fn disjoint(&self) -> impl Iterator<Item = &MeterLedger> {
        self.meters.iter().filter(|meter| !meter.nested)
    }

    /// The total of all disjoint meters.
    pub fn total(&self) -> Microjoules {
        self.disjoint().map(|meter| meter.total).sum()
    }

    /// One account's energy over all disjoint meters.
    pub fn account(&self, account: Account) -> Energy {
        let mut sum = Energy::default();
        for meter in self.disjoint() {
            sum += meter.accounts.get(&account).copied().unwrap_or_default();
        }
        sum
    }
}

/// What one thread is charged with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadCharge {
    /// Which task instance; [`UNNAMED`](super::UNNAMED) for the target's time
    /// that belongs to no known thread.
    pub task: TaskId,
    /// The task instance of its process's leader, which names the process.
    pub process: TaskId,
    /// Over all disjoint meters.
    pub energy: Energy,
    /// Per meter, nested ones too.
    pub meters: BTreeMap<MeterId, Energy>,
    /// 90 % half width of `energy.with_idle`.
    pub width: HalfWidth,
    /// Its time on a CPU, and what was counted in it.
    pub signals: Signals,
    /// Number of samples.
    pub samples: u64,
    /// Number of equally heavy samples that would say as much about how the
    /// energy divides over the stacks; at most `samples`.
    pub effective: f64,
}

/// What one process (one task instance) is charged with, over all disjoint
/// meters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessCharge {
    /// The task instance of its leader.
    pub leader: TaskId,
    /// The sum of its threads.
    pub energy: Energy,
    /// 90 % half width of `energy.with_idle`. Not the sum of the threads' widths:
    /// an error between two threads of a process is none of the process.
    pub width: HalfWidth,
}

/// What one thread's stack is charged with, over all disjoint meters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackCharge {
    /// Which task instance.
    pub task: TaskId,
    /// Which stack; `None` for energy of a thread that was never sampled.
    pub stack: Option<StackId>,
    /// Its energy.
    pub energy: Energy,
    /// Number of samples.
    pub samples: u64,
    /// Events by [`Counter`](crate::measurement::Counter) that these samples
    /// stand for: fewer than the thread's, whose slices do not end with a sample.
    /// An observer is not told of them.
    pub counts: [u64; COUNTERS],
}

/// What the target is charged with on one CPU, over all disjoint meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuCharge {
    /// Which CPU.
    pub cpu: u32,
    /// Its energy.
    pub energy: Energy,
    /// The target's time on it.
    pub on_cpu: Nanos,
}

/// The result of attribution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attributed {
    /// Where the energy went, per meter.
    pub ledger: Ledger,
    /// One row per thread of the target that ran. Σ = the target account.
    pub threads: Vec<ThreadCharge>,
    /// One row per process that ran. Σ = the target account.
    pub processes: Vec<ProcessCharge>,
    /// One row per thread and stack. Σ = the target account.
    pub stacks: Vec<StackCharge>,
    /// One row per CPU. Σ = the target account.
    pub cpus: Vec<CpuCharge>,
    /// What makes the numbers less true.
    pub caveats: Vec<Caveat>,
    /// What divided the energy of each meter.
    pub weighings: Vec<Weighing>,
    /// What the target did, all threads together.
    pub signals: Signals,
    /// The end of the last interval.
    pub until: Timestamp,
}
