//! CPUs that come online during the run.
//!
//! The hooks run on them, too, so that threads' accounts are whole. But the recording's
//! CPU groups are fixed at its beginning, and the meters' CPUs, so that what else ran on
//! a new CPU is in no account. That is counted, and said.

use std::mem::offset_of;
use std::sync::atomic::Ordering::Acquire;

use eprof_common::CpuState;

use super::accounts::boundary;
use super::accounts::shared::Shared;
use crate::caveat::Caveat;
use crate::unit::Nanos;

/// The numbers of some CPUs, as one reads them.
pub(super) fn list<'a>(cpus: impl Iterator<Item = &'a u32>) -> String {
    let names: Vec<String> = cpus.map(u32::to_string).collect();
    names.join(", ")
}

/// The same with what they are.
pub(super) fn named<'a>(cpus: impl ExactSizeIterator<Item = &'a u32>) -> String {
    let who = match cpus.len() {
        1 => "CPU",
        _ => "CPUs",
    };
    format!("{who} {}", list(cpus))
}

/// The CPUs that were not online at the beginning.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    /// Those on which nothing has run yet.
    absent: Vec<u32>,
    cpus: Vec<u32>,
    /// Those whose stacks are not sampled.
    unsampled: Vec<u32>,
    /// What the target used there, and what all did.
    target: Nanos,
    all: Nanos,
}

impl Newcomers {
    /// Of a machine that may have `possible` CPUs, of which these are online.
    pub(super) fn beside(online: &[u32], possible: u32) -> Self {
        Self {
            absent: (0..possible).filter(|cpu| !online.contains(cpu)).collect(),
            ..Self::default()
        }
    }

    /// Those that came.
    pub(super) fn cpus(&self) -> &[u32] {
        &self.cpus
    }

    /// Takes in what they did in the interval with `parity`; gives those that are
    /// new since the last time.
    pub(super) fn look(&mut self, cpus: &Shared<CpuState>, parity: usize) -> Vec<u32> {
        for cpu in &self.cpus {
            let account = boundary::collect(cpus, *cpu, parity);
            self.target += account.target.on_cpu;
            self.all += account.all().on_cpu;
        }
        let start = offset_of!(CpuState, start);
        let runs = |cpu: &u32| {
            (*cpu as usize) < cpus.len() && cpus.u64(*cpu as usize, start).load(Acquire) != 0
        };
        let (new, absent): (Vec<u32>, Vec<u32>) =
            self.absent.iter().copied().partition(|cpu| runs(cpu));
        self.absent = absent;
        self.cpus.extend(&new);
        new
    }

    /// Whether there can be a timer on this one.
    pub(super) fn sampled(&mut self, cpu: u32, sampled: bool) {
        self.unsampled.retain(|other| *other != cpu);
        if !sampled {
            self.unsampled.push(cpu);
        }
    }

    /// What is to be said of them.
    pub(super) fn caveat(&self) -> Option<Caveat> {
        if self.cpus.is_empty() {
            return None;
        }
        let stacks = match self.unsampled.len() {
            0 => String::new(),
            _ => format!(
                "; stacks on {} are not sampled",
                list(self.unsampled.iter())
            ),
        };
        Some(
            Caveat::new(
                "cpu-came-online",
                format!(
                    "{} came online during the run: {:.2} s of CPU time there, {:.2} s of it \
                     the target's, are in no CPU's account, and no estimate has their energy{stacks}",
                    named(self.cpus.iter()),
                    self.all.seconds(),
                    self.target.seconds(),
                ),
            )
            .hint("measure again: CPUs that are online at the beginning are accounted"),
        )
    }
}
