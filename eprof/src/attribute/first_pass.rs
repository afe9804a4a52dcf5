//! The first pass over a recording, from which the weights are chosen.

use std::collections::BTreeMap;
use std::thread::{self, Builder};

use crate::measurement::{Baseline, CpuGroupId, Meter, Task};
use crate::recording::Header;
use crate::timeline::Interval;
use crate::unit::Microjoules;

use super::activity::Activity;
use super::columns::Columns;
use super::idle::IdleDraw;
use super::process::Processes;
use super::settings::Weights;
use super::training_blocks::{Block, TrainingBlocks};
use super::weigh::{Weigher, choose};

/// What the pass has gathered so far.
#[derive(Clone, Debug)]
pub(super) struct FirstPass {
    columns: Columns,
    processes: Processes,
    meters: Vec<(Meter, Option<IdleDraw>, TrainingBlocks)>,
}

impl FirstPass {
    /// Of the recording of `tasks` that starts with `header`; `baselines` has
    /// one per meter.
    pub(super) fn new(header: &Header, tasks: &[Task], baselines: &[Option<Baseline>]) -> Self {
        let one = |(meter, baseline): (&Meter, &Option<Baseline>)| {
            let idle = IdleDraw::of(meter, baseline.as_ref());
            (meter.clone(), idle, TrainingBlocks::default())
        };
        Self {
            columns: Columns::of(header),
            processes: Processes::of(tasks),
            meters: header.meters.iter().zip(baselines).map(one).collect(),
        }
    }

    /// Takes in a span of time.
    pub(super) fn take(&mut self, interval: &Interval) {
        let index = usize::from(interval.meter.0);
        let (Some(energy), Some((meter, idle, blocks))) =
            (interval.energy, self.meters.get_mut(index))
        else {
            return;
        };
        let length = interval.end.since(interval.begin);
        let base = idle
            .as_mut()
            .map_or(Microjoules::ZERO, |idle| idle.take(energy, length));
        let width = width(meter, interval);
        let activity = Activity::of(interval, &self.processes, &self.columns, width);
        blocks.push(Microjoules(energy.0 - base.0), interval.boundary, &activity);
    }

    /// Chooses the weights, one weigher per meter.
    pub(super) fn choose(self, header: &Header, weights: Weights) -> Vec<Weigher> {
        let columns = &self.columns;
        let one = &|(meter, blocks): &(Meter, Vec<Block>)| {
            choose(meter, blocks, columns, header, weights)
        };
        let meters = self.meters.into_iter();
        let meters: Vec<_> = meters
            .map(|(meter, _, blocks)| (meter, blocks.finish()))
            .collect();
        let Some((last, others)) = meters.split_last() else {
            return Vec::new();
        };
        // Each meter by itself, so they can be done side by side.
        thread::scope(|scope| {
            let begin = |of| {
                let thread = Builder::new().spawn_scoped(scope, move || one(of));
                (of, thread.ok())
            };
            let begun: Vec<_> = others.iter().map(begin).collect();
            let last = one(last);
            let chosen = begun.into_iter().map(|(of, thread)| {
                let chosen = thread.and_then(|thread| thread.join().ok());
                // Here, where there can be no other thread.
                chosen.unwrap_or_else(|| one(of))
            });
            chosen.chain([last]).collect()
        })
    }
}

/// How many CPUs share a meter.
pub(super) fn width(meter: &Meter, interval: &Interval) -> usize {
    match meter.cpus.len() {
        0 => interval.cpus.len(),
        named => named,
    }
}

/// The CPUs of each CPU group.
pub(super) fn cpu_groups(header: &Header) -> BTreeMap<CpuGroupId, Vec<u32>> {
    let groups = header.cpu_groups.iter();
    groups.map(|group| (group.id, group.cpus.clone())).collect()
}
