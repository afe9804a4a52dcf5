//! Samples in time, each with its part of the energy: who was seen where when,
//! and what that cost. Adds up to the target's account, to the microjoule.

use std::collections::{BTreeMap, BTreeSet};

use crate::apportion::apportion;
use crate::attribute::{Attributed, ChargedSpan, Observer, StackCharge};
use crate::measurement::{MeterId, StackId, TaskId};
use crate::recording::{Catalog, IntervalRecord};
use crate::unit::{Microjoules, Nanos, Timestamp};

use super::build::by_energy;
use super::detail::Detail;
use super::model::SymbolFrame;
use super::names::Names;
use super::shares::cpu_time;

/// A stack that a thread was seen with during an interval. When within it, and
/// in which order, is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// From here …
    pub begin: Timestamp,
    /// … to there.
    pub end: Timestamp,
    /// Which stack; `None` for what a thread used that was never sampled.
    pub stack: Option<StackId>,
    /// How often.
    pub count: u32,
    /// Energy with its share of idle, over all disjoint meters.
    pub energy: Microjoules,
    /// The thread's CPU time in it.
    pub cpu: Nanos,
}

/// One thread of the profile, in time.
#[derive(Clone, Debug, Default)]
pub struct ThreadSamples {
    /// When it ended, where that was seen.
    pub gone: Option<Timestamp>,
    /// In order of time.
    pub seen: Vec<Seen>,
}

/// What a meter said about a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Power {
    /// From here …
    pub begin: Timestamp,
    /// … to there.
    pub end: Timestamp,
    /// All of it.
    pub energy: Microjoules,
}

/// All samples in time.
#[derive(Debug)]
pub struct TimedSamples {
    /// As in [`Profile::threads`](super::Profile::threads).
    pub threads: Vec<ThreadSamples>,
    /// Spans of known energy of each meter, in the order of the ledger.
    pub power: Vec<Vec<Power>>,
    names: Names,
}

impl TimedSamples {
    /// The frames of a stack, root first; never empty.
    pub fn frames(&self, stack: Option<StackId>) -> Vec<SymbolFrame> {
        let codes = self.names.stack(stack).iter();
        codes.map(|&code| self.names.frame(code)).collect()
    }
}

#[derive(Debug, Default)]
struct Thread {
    seen: Vec<Seen>,
    /// CPU time of intervals without a sample.
    cpu: Nanos,
    /// Energy that no sample can be found for.
    left: u64,
}

/// Samples as they are charged. Needs memory for all of them.
#[derive(Debug, Default)]
pub struct TimedSamplesObserver {
    threads: BTreeMap<TaskId, Thread>,
    power: BTreeMap<MeterId, Vec<Power>>,
}

impl TimedSamplesObserver {
    /// The samples of the recording with the catalogue `catalog`, with code
    /// told apart as `detail` says.
    pub fn finish(
        mut self,
        catalog: &Catalog,
        attributed: &Attributed,
        detail: Detail,
    ) -> TimedSamples {
        let until = attributed.until;
        let mut threads = Vec::with_capacity(attributed.threads.len());
        for task in by_energy(catalog, attributed) {
            let mut thread = self.threads.remove(&task).unwrap_or_default();
            let gone = catalog.gone.get(task.0 as usize).copied().flatten();
            if thread.left > 0 || thread.cpu.0 > 0 {
                let at = gone.unwrap_or(until);
                thread.seen.push(Seen {
                    begin: at,
                    end: at,
                    stack: thread.seen.last().and_then(|last| last.stack),
                    count: u32::from(thread.seen.is_empty()),
                    energy: Microjoules(thread.left),
                    cpu: thread.cpu,
                });
            }
            threads.push(ThreadSamples {
                gone,
                seen: thread.seen,
            });
        }
        let seen = threads.iter().flat_map(|thread| &thread.seen);
        let stacks: BTreeSet<StackId> = seen.filter_map(|of| of.stack).collect();
        let ledger = attributed.ledger.meters.iter();
        TimedSamples {
            names: Names::new(catalog, detail, stacks),
            power: ledger
                .map(|meter| self.power.remove(&meter.meter).unwrap_or_default())
                .collect(),
            threads,
        }
    }
}

impl Observer for TimedSamplesObserver {
    fn record(&mut self, record: &IntervalRecord) {
        for account in &record.threads {
            let thread = self.threads.entry(account.task).or_default();
            thread.cpu += account.signals.on_cpu;
        }
        let mut samples: Vec<_> = record.samples.iter().collect();
        samples.sort_by_key(|of| (of.task, of.stack));
        for of_task in samples.chunk_by(|a, b| a.task == b.task) {
            let thread = self.threads.entry(of_task[0].task).or_default();
            let counts: Vec<u64> = of_task.iter().map(|of| of.count.into()).collect();
            let cpu = cpu_time(thread.cpu, &counts);
            thread.cpu = Nanos::ZERO;
            for (of, cpu) in of_task.iter().zip(cpu) {
                thread.seen.push(Seen {
                    begin: record.begin,
                    end: record.end,
                    stack: Some(of.stack),
                    count: of.count,
                    energy: Microjoules::ZERO,
                    cpu,
                });
            }
        }
    }

    fn span(&mut self, span: &ChargedSpan<'_>) {
        let interval = span.interval;
        if let Some(energy) = interval.energy {
            self.power.entry(interval.meter).or_default().push(Power {
                begin: interval.begin,
                end: interval.end,
                energy,
            });
        }
    }

    fn stack(&mut self, (begin, end): (Timestamp, Timestamp), charge: &StackCharge) {
        let thread = self.threads.entry(charge.task).or_default();
        let from = thread.seen.partition_point(|of| of.begin < begin);
        let to = thread.seen.partition_point(|of| of.end <= end);
        let inside = thread.seen.get_mut(from..to).unwrap_or_default();
        let mut same: Vec<&mut Seen> = inside
            .iter_mut()
            .filter(|of| of.stack == charge.stack)
            .collect();
        let energy = charge.energy.with_idle;
        if same.is_empty() {
            thread.left = thread.left.saturating_add(energy.0);
            return;
        }
        let counts: Vec<u64> = same.iter().map(|of| u64::from(of.count).max(1)).collect();
        for (of, part) in same.iter_mut().zip(apportion(energy, &counts)) {
            of.energy += part;
        }
    }
}
