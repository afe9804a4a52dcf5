//! What the kernel programs cost, and what the kernel did not let them do.

use std::mem::offset_of;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::Relaxed;

use aya::sys::Stats;
use eprof_common::{CpuState, Outcome, Program};

use super::accounts::shared::Shared;
use super::loader::link::Linked;
use super::loader::program::Runs;
use crate::host::elevation;
use crate::measurement::Loss;

/// The kernel measures run times in one of so many intervals: its two clock
/// reads per run would otherwise be a cost of their own.
const ONE_IN: u64 = 64;
/// The first interval that is measured.
const FIRST: u64 = 2;

/// Switches the kernel's measuring of run times on and off.
#[derive(Default)]
pub(super) struct RunTimes {
    enabled: Option<OwnedFd>,
}

impl RunTimes {
    /// Called at the beginning of interval `epoch`. Needs CAP_SYS_ADMIN;
    /// without, run times stay unknown.
    pub(super) fn at(&mut self, epoch: u64) {
        let enable = || {
            let _raised = elevation::raised(elevation::KERNEL);
            aya::sys::enable_stats(Stats::RunTime).ok()
        };
        self.enabled = (epoch % ONE_IN == FIRST).then(enable).flatten();
    }
}

/// Runs of each program and their mean cost in nanoseconds, where it was
/// measured.
pub(super) fn programs(
    linked: &Linked,
    cpus: &Shared<CpuState>,
) -> Vec<(String, u64, Option<f64>)> {
    Program::ALL
        .iter()
        .map(|(program, name)| {
            let offset = offset_of!(CpuState, runs) + program.0 as usize * 8;
            let runs = sum(cpus, offset);
            (String::from(*name), runs, mean(linked, name))
        })
        .collect()
}

/// Everything the kernel side counted as lost, by reason.
pub(super) fn losses(linked: &Linked, cpus: &Shared<CpuState>) -> Loss {
    let mut loss = Loss::default();
    for (outcome, name) in Outcome::ALL {
        let offset = offset_of!(CpuState, lost) + outcome.0 as usize * 8;
        loss.count(name, sum(cpus, offset));
    }
    for (_, name) in Program::ALL {
        loss.count(&format!("{name}-not-run"), missed(linked, name));
    }
    loss
}

fn sum(cpus: &Shared<CpuState>, offset: usize) -> u64 {
    (0..cpus.len())
        .map(|cpu| cpus.u64(cpu, offset).load(Relaxed))
        .sum()
}

/// What the kernel counted of the loaded forms of a program: `switch_btf` or
/// `switch_classic`, `sample`.
fn runs(linked: &Linked, name: &str) -> impl Iterator<Item = Runs> {
    linked
        .programs()
        .filter(move |(full, _)| full.split('_').next() == Some(name))
        .filter_map(|(_, program)| program.runs())
}

fn mean(linked: &Linked, name: &str) -> Option<f64> {
    let (mut time, mut count) = (0.0, 0);
    for runs in runs(linked, name) {
        time += runs.time as f64;
        count += runs.count;
    }
    (count > 0).then(|| time / count as f64)
}

/// How often the kernel skipped a program.
fn missed(linked: &Linked, name: &str) -> u64 {
    runs(linked, name).map(|runs| runs.missed).sum()
}
