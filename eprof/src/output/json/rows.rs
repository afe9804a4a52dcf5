//! Processes, threads, functions, modules and CPUs in the report.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::profile::{ProcessKey, ProcessRow, Profile, ThreadRow};

use super::super::format::energy::has_reading;
use super::energy::EnergyValue;
use super::signals::Signals;

#[derive(Serialize)]
pub(super) struct Process<'p> {
    member: Option<usize>,
    pid: u32,
    start_ns: u64,
    generation: u32,
    parent_pid: Option<u32>,
    comm: &'p str,
    threads: u32,
    #[serde(flatten)]
    energy: EnergyValue,
    cpu_ns: u64,
    signals: Signals,
    samples: u64,
}

#[derive(Serialize)]
pub(super) struct Thread<'p> {
    member: Option<usize>,
    pid: u32,
    tid: u32,
    start_ns: u64,
    generation: u32,
    comm: &'p str,
    #[serde(flatten)]
    energy: EnergyValue,
    cpu_ns: u64,
    signals: Signals,
    samples: u64,
    domains: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
pub(super) struct Function<'p> {
    pub(super) function: &'p str,
    pub(super) module: &'p str,
    pub(super) self_uj: Option<u64>,
    pub(super) total_uj: Option<u64>,
    pub(super) self_marginal_uj: Option<u64>,
    pub(super) total_marginal_uj: Option<u64>,
    pub(super) ci90_uj: Option<u64>,
    pub(super) signals: Signals,
    pub(super) samples: u64,
}

#[derive(Serialize)]
pub(super) struct Module<'p> {
    pub(super) module: &'p str,
    #[serde(flatten)]
    pub(super) energy: EnergyValue,
    pub(super) samples: u64,
}

#[derive(Serialize)]
pub(super) struct Cpu {
    pub(super) cpu: u32,
    pub(super) uj: Option<u64>,
    pub(super) marginal_uj: Option<u64>,
    pub(super) cpu_ns: u64,
}

/// Position of the run in `members`, where there are several.
fn member(key: ProcessKey, profile: &Profile) -> Option<usize> {
    (key.member < profile.members.len()).then_some(key.member)
}

impl<'p> Process<'p> {
    pub(super) fn new(row: &'p ProcessRow, energy: EnergyValue, profile: &Profile) -> Self {
        Self {
            member: member(row.key, profile),
            pid: row.key.pid,
            start_ns: row.key.start.0,
            generation: row.key.generation,
            parent_pid: row.parent.map(|parent| parent.pid),
            comm: &row.comm,
            threads: row.threads,
            energy,
            cpu_ns: row.cpu.0,
            signals: Signals::new(&profile.summary, &row.events),
            samples: row.samples,
        }
    }
}

impl<'p> Thread<'p> {
    pub(super) fn new(row: &'p ThreadRow, energy: EnergyValue, profile: &Profile) -> Self {
        let ledger = &profile.ledger;
        let mut domains: BTreeMap<&str, u64> = BTreeMap::new();
        for (id, energy) in &row.meters {
            let meter = ledger.meters.iter().find(|m| m.meter == *id);
            if let Some(meter) = meter.filter(|meter| has_reading(meter)) {
                let sum = domains.entry(meter.domain.name()).or_default();
                *sum = sum.saturating_add(energy.with_idle.0);
            }
        }
        Self {
            member: member(row.process, profile),
            pid: row.process.pid,
            tid: row.tid,
            start_ns: row.start.0,
            generation: row.process.generation,
            comm: &row.comm,
            energy,
            cpu_ns: row.cpu.0,
            signals: Signals::new(&profile.summary, &row.events),
            samples: row.samples,
            domains,
        }
    }
}
