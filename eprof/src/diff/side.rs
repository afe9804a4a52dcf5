//! One side of a comparison: the recordings of repeated runs, row by row.
//! Memory grows with the number of different rows, and of runs only by two
//! numbers per row.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::attribute::uncertainty::{Z90, sampling_share};
use crate::attribute::{Account, Energy, Rule};
use crate::measurement::{Counter, Events, MeterId, Provenance};
use crate::profile::{FunctionKey, Parts, ProcessKey, Profile, StackRow, ThreadRow};
use crate::unit::Nanos;

use super::key::{By, Key};
use super::metric::METRICS;
use super::values::Values;

/// How well a side knows the instructions of its runs; the last of its runs'.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instructions {
    /// Every run has counted them.
    #[default]
    Counted,
    /// Some run did, but not all the time.
    Distrusted,
    /// Some run did not.
    Absent,
}

impl Instructions {
    /// Of one run.
    fn of(profile: &Profile) -> Self {
        let summary = &profile.summary;
        match summary.header.counts(Counter::Instructions) {
            _ if summary.counts(Counter::Instructions) => Self::Counted,
            true => Self::Distrusted,
            false => Self::Absent,
        }
    }
}

/// Repeated runs of one program.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// How many.
    pub runs: usize,
    /// When each began, in nanoseconds since 1970.
    pub began: Vec<u64>,
    /// How long each took, in nanoseconds.
    pub durations: Vec<f64>,
    /// What was run.
    pub commands: BTreeSet<Vec<String>>,
    /// On which processors.
    pub processors: BTreeSet<String>,
    /// What energy was divided by, in every run.
    pub rules: BTreeSet<Vec<(MeterId, Rule)>>,
    /// Exit codes; `None` for a recording that was cut off.
    pub exits: BTreeSet<Option<i32>>,
    /// Whether the energy of every run is known.
    pub energy: bool,
    /// Whether the energy of any run is only estimated.
    pub estimated: bool,
    /// Whether every run counted instructions.
    pub instructions: Instructions,
    rows: BTreeMap<By, BTreeMap<Key, Values>>,
    /// The target, and each domain.
    totals: BTreeMap<Key, Values>,
}

/// Who a thread is, by name.
struct Names<'p> {
    comms: HashMap<ProcessKey, &'p str>,
    profile: &'p Profile,
}

impl Names<'_> {
    fn of(&self, thread: usize) -> (String, String) {
        let Some(row) = self.profile.threads.get(thread) else {
            return Default::default();
        };
        let process = self.comms.get(&row.process).copied();
        (process.unwrap_or(&row.comm).to_owned(), row.comm.clone())
    }
}

impl Side {
    /// No runs.
    pub fn new() -> Self {
        Self {
            energy: true,
            ..Self::default()
        }
    }

    /// Adds a run.
    pub fn add(&mut self, profile: &Profile) {
        let run = self.runs;
        self.runs += 1;
        let summary = &profile.summary;
        self.began.push(summary.header.wall_clock_ns);
        self.durations.push(summary.duration.0 as f64);
        self.commands.insert(summary.header.command.argv.clone());
        self.processors.insert(summary.header.cpu_model.clone());
        self.exits.insert(summary.exit_code);
        let rules = summary.weighings.iter().map(|of| (of.meter, of.rule));
        self.rules.insert(rules.collect());
        self.estimated |= summary.provenance == Provenance::Estimated;
        let spoke =
            |of: &crate::attribute::MeterLedger| of.total.0 > 0 || of.unknown == Nanos::ZERO;
        self.energy &= profile.ledger.disjoint().any(spoke);
        self.totals(run, profile);
        self.people(run, profile);
        self.code(run, profile);
        self.instructions = self.instructions.max(Instructions::of(profile));
        let kinds = self.rows.values_mut().flat_map(BTreeMap::values_mut);
        for values in kinds.chain(self.totals.values_mut()) {
            values.fill_up(self.runs);
        }
    }

    fn totals(&mut self, run: usize, profile: &Profile) {
        let mut squares: BTreeMap<Key, f64> = BTreeMap::new();
        let cpu: Nanos = profile.threads.iter().map(|thread| thread.cpu).sum();
        let count = profile.summary.signals[Counter::Instructions];
        let target = self.totals.entry(Key::Target).or_default();
        target.add(run, [0.0, cpu.0 as f64, count as f64]);
        target.errors = [None; METRICS];
        for meter in &profile.ledger.meters {
            let energy = meter.accounts.get(&Account::Target).copied();
            let energy = energy.unwrap_or_default().with_idle.0 as f64;
            let width = meter.widths.get(&Account::Target).copied();
            let variance = (width.unwrap_or_default().total().0 as f64 / Z90).powi(2);
            let mut keys = vec![Key::Domain(meter.domain.name())];
            if !meter.nested {
                keys.push(Key::Target);
            }
            for key in keys {
                *squares.entry(key.clone()).or_default() += variance;
                self.totals
                    .entry(key)
                    .or_default()
                    .add(run, [energy, 0.0, 0.0]);
            }
        }
        for (key, variance) in squares {
            if let Some(values) = self.totals.get_mut(&key) {
                values.errors = [Some(variance.sqrt()), None, None];
            }
        }
    }

    fn people(&mut self, run: usize, profile: &Profile) {
        let names = Names::new(profile);
        for row in profile.commands() {
            let values = self.row(By::Command, Key::Command(row.comm));
            values.add(run, of_row(row.energy, row.cpu, &row.events));
            values.errors = [Some(row.ci90.0 as f64 / Z90), None, None];
        }
        let mut widths: BTreeMap<Key, f64> = BTreeMap::new();
        for (at, row) in profile.threads.iter().enumerate() {
            let (process, thread) = names.of(at);
            let key = Key::Thread(process, thread);
            // All may err the same way, as in `Profile::commands`.
            *widths.entry(key.clone()).or_default() += row.ci90.0 as f64;
            let values = self.row(By::Thread, key);
            values.add(run, of_row(row.energy, row.cpu, &row.events));
        }
        for (key, width) in widths {
            self.row(By::Thread, key).errors = [Some(width / Z90), None, None];
        }
    }

    fn code(&mut self, run: usize, profile: &Profile) {
        let names = Names::new(profile);
        let sampling = Sampling::of(profile);
        // Functions repeat in thousands of stacks: each is named once.
        let mut functions: HashMap<&FunctionKey, (Sum, Sum)> = HashMap::new();
        let mut stacks: BTreeMap<Key, Sum> = BTreeMap::new();
        for row in &profile.stacks {
            let (process, thread) = names.of(row.thread);
            let key = Key::Stack(process, thread, Arc::clone(&row.frames));
            stacks.entry(key).or_default().add(row);
            if let Some(leaf) = row.frames.last() {
                let of = functions.entry(&leaf.key).or_default();
                of.0.add(row);
            }
            // A recursive function contains itself, but counts once.
            let distinct: BTreeSet<&FunctionKey> =
                row.frames.iter().map(|frame| &*frame.key).collect();
            for function in distinct {
                functions.entry(function).or_default().1.add(row);
            }
        }
        let sums = stacks.into_iter().map(|(key, sum)| (By::Stack, key, sum));
        let functions = functions.into_iter().flat_map(|(of, (own, total))| {
            let key = Key::Function(of.function.clone(), of.module.clone());
            [
                (By::Function, key.clone(), own),
                (By::Inclusive, key, total),
            ]
        });
        for (by, key, sum) in sums.chain(functions) {
            // A caller of everything has nothing of its own.
            if sum.energies.is_empty() {
                continue;
            }
            let energy: u64 = sum.energies.values().map(|of| of.0).sum();
            let error = profile.half_width(&sum.energies).0 as f64 / Z90;
            let whole = |of: &BTreeMap<usize, u64>| of.values().sum::<u64>() as f64;
            let values = self.row(by, key);
            values.add(run, [energy as f64, whole(&sum.times), whole(&sum.counts)]);
            values.errors = [
                Some(error),
                Some(sampling.error(&sum.times, |thread| thread.cpu.0)),
                Some(sampling.error(&sum.counts, |thread| thread.events[Counter::Instructions])),
            ];
        }
    }

    fn row(&mut self, by: By, key: Key) -> &mut Values {
        self.rows.entry(by).or_default().entry(key).or_default()
    }

    /// The target, or its part on the meters of one domain.
    pub fn total(&self, key: &Key) -> Option<&Values> {
        self.totals.get(key)
    }

    /// The domains, by name.
    pub fn domains(&self) -> impl Iterator<Item = &Key> {
        self.totals.keys().filter(|key| **key != Key::Target)
    }

    /// The rows of a kind.
    pub fn rows(&self, by: By) -> impl Iterator<Item = (&Key, &Values)> {
        self.rows.get(&by).into_iter().flatten()
    }

    /// One row.
    pub fn find(&self, by: By, key: &Key) -> Option<&Values> {
        self.rows.get(&by)?.get(key)
    }

    /// Whether, in order of time, each pair of runs has one of each side.
    pub(super) fn is_interleaved_with(&self, other: &Self) -> bool {
        if self.runs != other.runs || self.runs < 2 {
            return false;
        }
        let sorted = |side: &Self| side.began.windows(2).all(|pair| pair[0] < pair[1]);
        let mut ends: Vec<(u64, u64)> = Vec::new();
        for (a, b) in self.began.iter().zip(&other.began) {
            ends.push((*a.min(b), *a.max(b)));
        }
        let apart = ends.windows(2).all(|pair| pair[0].1 < pair[1].0);
        sorted(self) && sorted(other) && apart
    }
}

impl<'p> Names<'p> {
    fn new(profile: &'p Profile) -> Self {
        let processes = profile.processes.iter();
        Self {
            comms: processes.map(|of| (of.key, of.comm.as_str())).collect(),
            profile,
        }
    }
}

/// What some stacks of a run add up to, by thread.
#[derive(Default)]
struct Sum {
    energies: Parts,
    times: BTreeMap<usize, u64>,
    counts: BTreeMap<usize, u64>,
}

impl Sum {
    fn add(&mut self, row: &StackRow) {
        let count = row.counts[Counter::Instructions as usize];
        *self.energies.entry(row.thread).or_default() += row.energy.with_idle;
        *self.times.entry(row.thread).or_default() += row.cpu.0;
        *self.counts.entry(row.thread).or_default() += count;
    }
}

/// How well samples tell what a thread did where.
struct Sampling<'p> {
    profile: &'p Profile,
    /// Samples per thread.
    samples: BTreeMap<usize, u64>,
}

impl<'p> Sampling<'p> {
    fn of(profile: &'p Profile) -> Self {
        let mut samples: BTreeMap<usize, u64> = BTreeMap::new();
        for row in &profile.stacks {
            *samples.entry(row.thread).or_default() += row.samples;
        }
        Self { profile, samples }
    }

    /// The standard deviation, by sampling, of `parts` of what threads did.
    fn error(&self, parts: &BTreeMap<usize, u64>, whole: impl Fn(&ThreadRow) -> u64) -> f64 {
        let squares = parts.iter().map(|(thread, &part)| {
            let whole = self.profile.threads.get(*thread).map_or(0, &whole) as f64;
            if whole <= 0.0 {
                return 0.0;
            }
            let samples = self.samples.get(thread).copied().unwrap_or_default();
            (whole * sampling_share(part as f64 / whole, samples as f64) / Z90).powi(2)
        });
        squares.sum::<f64>().sqrt()
    }
}

/// The values of a row, by metric.
fn of_row(energy: Energy, cpu: Nanos, events: &Events) -> [f64; METRICS] {
    let count = events[Counter::Instructions];
    [energy.with_idle.0 as f64, cpu.0 as f64, count as f64]
}
