//! One side of a comparison: the recordings of repeated runs, row by row.
//! Memory grows with the number of different rows, and of runs only by two
//! numbers per row.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::attribute::uncertainty::{Z90, sampling_share};
use crate::attribute::{Account, Rule};
use crate::measurement::{MeterId, Provenance};
use crate::profile::{FunctionKey, Parts, ProcessKey, Profile, StackRow};
use crate::unit::Nanos;

use super::key::{By, Key};
use super::metric::Metric;

/// One row of every run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// Microjoules.
    pub energy: Vec<f64>,
    /// Nanoseconds on CPUs.
    pub cpu: Vec<f64>,
    /// Instructions, of the whole target only; empty where no run counted
    /// them, not a number in a run that did not.
    pub instructions: Vec<f64>,
    /// Standard deviations of the last run's energy and CPU time, as far as
    /// they are known from within the run.
    pub errors: (f64, Option<f64>),
}

impl Values {
    /// The values of a metric, one per run.
    pub fn of(&self, metric: Metric) -> &[f64] {
        match metric {
            Metric::Energy => &self.energy,
            Metric::CpuTime => &self.cpu,
            Metric::Instructions => &self.instructions,
        }
    }

    fn add(&mut self, run: usize, energy: f64, cpu: f64) {
        // It was not there in the runs before.
        self.energy.resize(run + 1, 0.0);
        self.cpu.resize(run + 1, 0.0);
        self.energy[run] += energy;
        self.cpu[run] += cpu;
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
    /// What energy was shared by, in every run.
    pub rules: BTreeSet<Vec<(MeterId, Rule)>>,
    /// Exit codes; `None` for a recording that was cut off.
    pub exits: BTreeSet<Option<i32>>,
    /// Whether the energy of every run is known.
    pub energy: bool,
    /// Whether the energy of any run is only estimated.
    pub estimated: bool,
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

    /// Adds a run, in which the target executed so many `instructions`, if
    /// that was counted.
    pub fn add(&mut self, profile: &Profile, instructions: Option<u64>) {
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
        if let Some(count) = instructions {
            let target = self.totals.entry(Key::Target).or_default();
            target.instructions.resize(self.runs, f64::NAN);
            target.instructions[run] = count as f64;
        }
        let kinds = self.rows.values_mut().flat_map(BTreeMap::values_mut);
        for values in kinds.chain(self.totals.values_mut()) {
            values.energy.resize(self.runs, 0.0);
            values.cpu.resize(self.runs, 0.0);
        }
    }

    fn totals(&mut self, run: usize, profile: &Profile) {
        let mut squares: BTreeMap<Key, f64> = BTreeMap::new();
        let cpu: Nanos = profile.threads.iter().map(|thread| thread.cpu).sum();
        let target = self.totals.entry(Key::Target).or_default();
        target.add(run, 0.0, cpu.0 as f64);
        for meter in &profile.ledger.meters {
            let energy = meter.accounts.get(&Account::Target).copied();
            let full = energy.unwrap_or_default().with_idle.0 as f64;
            let width = meter.widths.get(&Account::Target).copied();
            let variance = (width.unwrap_or_default().total().0 as f64 / Z90).powi(2);
            let mut keys = vec![Key::Domain(meter.domain.name())];
            if !meter.nested {
                keys.push(Key::Target);
            }
            for key in keys {
                *squares.entry(key.clone()).or_default() += variance;
                self.totals.entry(key).or_default().add(run, full, 0.0);
            }
        }
        for (key, variance) in squares {
            if let Some(values) = self.totals.get_mut(&key) {
                values.errors = (variance.sqrt(), None);
            }
        }
    }

    fn people(&mut self, run: usize, profile: &Profile) {
        let names = Names::new(profile);
        for row in profile.commands() {
            let values = self.row(By::Command, Key::Command(row.comm));
            values.add(run, row.energy.with_idle.0 as f64, row.cpu.0 as f64);
            values.errors = (row.ci90.0 as f64 / Z90, None);
        }
        let mut widths: BTreeMap<Key, f64> = BTreeMap::new();
        for (at, row) in profile.threads.iter().enumerate() {
            let (process, thread) = names.of(at);
            let key = Key::Thread(process, thread);
            // All may err the same way, as in `Profile::commands`.
            *widths.entry(key.clone()).or_default() += row.ci90.0 as f64;
            let values = self.row(By::Thread, key);
            values.add(run, row.energy.with_idle.0 as f64, row.cpu.0 as f64);
        }
        for (key, width) in widths {
            self.row(By::Thread, key).errors = (width / Z90, None);
        }
    }

    fn code(&mut self, run: usize, profile: &Profile) {
        let names = Names::new(profile);
        let cpu = CpuTime::of(profile);
        // Functions repeat in thousands of stacks: each is named once.
        let mut functions: HashMap<&FunctionKey, (Sum, Sum)> = HashMap::new();
        let mut stacks: BTreeMap<Key, Sum> = BTreeMap::new();
        for row in &profile.stacks {
            let time = cpu.of_stack(row);
            let (process, thread) = names.of(row.thread);
            let key = Key::Stack(process, thread, Arc::clone(&row.frames));
            stacks.entry(key).or_default().add(row, time);
            if let Some(leaf) = row.frames.last() {
                let of = functions.entry(&leaf.key).or_default();
                of.0.add(row, time);
            }
            // A recursive function contains itself, but counts once.
            let distinct: BTreeSet<&FunctionKey> =
                row.frames.iter().map(|frame| &*frame.key).collect();
            for function in distinct {
                functions.entry(function).or_default().1.add(row, time);
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
            let time = sum.times.values().sum();
            let error = profile.half_width(&sum.energies).0 as f64 / Z90;
            let values = self.row(by, key);
            values.add(run, energy as f64, time);
            values.errors = (error, Some(cpu.error(&sum.times)));
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

    /// Whether every run counted instructions.
    pub fn counted_instructions(&self) -> bool {
        let target = self.totals.get(&Key::Target);
        target.is_some_and(|of| {
            let counts = &of.instructions;
            counts.len() == self.runs && counts.iter().all(|count| count.is_finite())
        })
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
    times: BTreeMap<usize, f64>,
}

impl Sum {
    fn add(&mut self, row: &StackRow, time: f64) {
        *self.energies.entry(row.thread).or_default() += row.energy.with_idle;
        *self.times.entry(row.thread).or_default() += time;
    }
}

/// How CPU time divides over stacks: as samples do, which are taken by time.
struct CpuTime<'p> {
    profile: &'p Profile,
    /// Samples and stacks per thread.
    stacks: BTreeMap<usize, (u64, u64)>,
}

impl<'p> CpuTime<'p> {
    fn of(profile: &'p Profile) -> Self {
        let mut stacks: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for row in &profile.stacks {
            let sum = stacks.entry(row.thread).or_default();
            sum.0 += row.samples;
            sum.1 += 1;
        }
        Self { profile, stacks }
    }

    fn whole(&self, thread: usize) -> f64 {
        let row = self.profile.threads.get(thread);
        row.map_or(0.0, |row| row.cpu.0 as f64)
    }

    fn of_stack(&self, row: &StackRow) -> f64 {
        let (samples, stacks) = self.stacks.get(&row.thread).copied().unwrap_or_default();
        let share = match samples {
            0 => 1.0 / stacks.max(1) as f64,
            all => row.samples as f64 / all as f64,
        };
        self.whole(row.thread) * share
    }

    /// The standard deviation, by sampling, of the times `parts` of threads.
    fn error(&self, parts: &BTreeMap<usize, f64>) -> f64 {
        let squares = parts.iter().map(|(&thread, &part)| {
            let whole = self.whole(thread);
            if whole <= 0.0 {
                return 0.0;
            }
            let samples = self.stacks.get(&thread).map_or(0, |(samples, _)| *samples);
            (whole * sampling_share(part / whole, samples as f64) / Z90).powi(2)
        });
        squares.sum::<f64>().sqrt()
    }
}
