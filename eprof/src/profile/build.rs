//! Ledger and names become the profile.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::attribute::{Attributed, HalfWidth, ThreadCharge};
use crate::caveat::Caveat;
use crate::measurement::{Events, Frame, Provenance, Quantity, StackEnd, StackId, TaskId};
use crate::recording::{Catalog, End};
use crate::unit::Nanos;

use super::detail::Detail;
use super::functions::{ByCode, by_code};
use super::model::{CpuRow, ProcessRow, Profile, StackShare, Summary, ThreadRow};
use super::names::Names;
use super::people::People;

impl Profile {
    /// The profile of a recording with the catalogue `catalog`, whose energy
    /// was attributed as `attributed`, by function.
    ///
    /// Total: whatever a catalogue lacks becomes `[unknown]`, and sums stay
    /// what they are in the ledger.
    pub fn build(catalog: &Catalog, attributed: &Attributed) -> Self {
        Self::in_detail(catalog, attributed, Detail::default())
    }

    /// The same, with code told apart as closely as `detail` says.
    pub fn in_detail(catalog: &Catalog, attributed: &Attributed, detail: Detail) -> Self {
        let people = People::of(catalog);
        let charges = sorted(attributed, &people);
        let stacks = attributed.stacks.iter().filter_map(|of| of.stack);
        let threads: Vec<ThreadRow> = charges.iter().map(|of| thread(of, &people)).collect();
        let names = Names::new(catalog, detail, stacks);
        let ByCode {
            functions,
            modules,
            stacks,
        } = by_code(&attributed.stacks, &charges, &threads, &names);
        Self {
            members: Vec::new(),
            summary: summary(catalog, attributed),
            ledger: attributed.ledger.clone(),
            processes: processes(attributed, &charges, &people),
            threads,
            functions,
            modules,
            cpus: attributed
                .cpus
                .iter()
                .map(|charge| CpuRow {
                    cpu: charge.cpu,
                    energy: charge.energy,
                    on_cpu: charge.on_cpu,
                })
                .collect(),
            stacks,
            losses: catalog
                .end
                .as_ref()
                .map(|end| end.losses.clone())
                .unwrap_or_default(),
            caveats: caveats(catalog, attributed),
        }
    }
}

/// The threads in the order of [`Profile::threads`].
pub(super) fn by_energy(catalog: &Catalog, attributed: &Attributed) -> Vec<TaskId> {
    let people = People::of(catalog);
    let charges = sorted(attributed, &people);
    charges.into_iter().map(|charge| charge.task).collect()
}

/// Most energy first.
fn sorted<'a>(attributed: &'a Attributed, people: &People<'_>) -> Vec<&'a ThreadCharge> {
    let mut charges: Vec<&ThreadCharge> = attributed.threads.iter().collect();
    charges.sort_by_key(|charge| (Reverse(charge.energy.with_idle), people.identity(charge)));
    charges
}

fn thread(charge: &ThreadCharge, people: &People<'_>) -> ThreadRow {
    let (process, tid, start, _) = people.identity(charge);
    let ThreadCharge {
        task,
        process: _,
        energy,
        meters,
        width,
        signals,
        samples,
        effective,
    } = charge;
    ThreadRow {
        process,
        tid,
        start,
        comm: people.comm(*task).to_owned(),
        energy: *energy,
        ci90: width.total(),
        width: *width,
        effective: *effective,
        cpu: signals.on_cpu,
        events: signals.events,
        samples: *samples,
        meters: meters
            .iter()
            .map(|(&meter, &energy)| (meter, energy))
            .collect(),
    }
}

fn processes(
    attributed: &Attributed,
    charges: &[&ThreadCharge],
    people: &People<'_>,
) -> Vec<ProcessRow> {
    let widths: BTreeMap<TaskId, HalfWidth> = attributed
        .processes
        .iter()
        .map(|process| (process.leader, process.width))
        .collect();
    let mut rows: BTreeMap<TaskId, ProcessRow> = BTreeMap::new();
    for charge in charges {
        let leader = charge.process;
        let row = rows.entry(leader).or_insert_with(|| ProcessRow {
            key: people.key(leader),
            parent: people.parent(leader),
            comm: people.comm(leader).to_owned(),
            threads: 0,
            energy: Default::default(),
            ci90: widths.get(&leader).copied().unwrap_or_default().total(),
            cpu: Nanos::ZERO,
            events: Events::default(),
            samples: 0,
        });
        row.threads += 1;
        row.energy += charge.energy;
        row.cpu += charge.signals.on_cpu;
        row.events += charge.signals.events;
        row.samples = row.samples.saturating_add(charge.samples);
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    rows.sort_by_key(|row| (Reverse(row.energy.with_idle), row.key));
    rows
}

fn summary(catalog: &Catalog, attributed: &Attributed) -> Summary {
    let header = &catalog.header;
    let end = catalog.end.as_ref();
    let ended = end.map_or(attributed.until, |end| end.ended);
    let disjoint = || header.meters.iter().filter(|meter| !meter.nested);
    let bands = disjoint().filter_map(|meter| match meter.quantity {
        Quantity::Model { low, high, .. } => Some((low, high)),
        _ => None,
    });
    Summary {
        header: header.clone(),
        events: catalog.trusted_events(),
        signals: attributed.signals,
        duration: ended.since(header.started),
        exit_code: end.map(|end: &End| end.exit_code),
        // The weakest meter decides what the sum may be called.
        provenance: disjoint()
            .map(|meter| meter.provenance)
            .max()
            .unwrap_or(Provenance::Estimated),
        band: bands.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))),
        footprint: end.map(|end| end.footprint.clone()).unwrap_or_default(),
        samples: attributed.threads.iter().map(|thread| thread.samples).sum(),
        stacks: stacks(catalog, attributed),
        weighings: attributed.weighings.clone(),
        carbon: None,
    }
}

/// How the stacks of all samples ended.
fn stacks(catalog: &Catalog, attributed: &Attributed) -> StackShare {
    let mut share = StackShare::default();
    for charge in &attributed.stacks {
        let Some(leaf) = charge.stack else { continue };
        share.samples += charge.samples;
        if let Some(end) = broken(catalog, leaf) {
            *share.ended.entry(end.name()).or_default() += charge.samples;
        }
    }
    share
}

/// Why a stack does not reach its root; `None` where it does.
fn broken(catalog: &Catalog, leaf: StackId) -> Option<StackEnd> {
    let mut at = leaf;
    loop {
        let node = catalog.stacks.get(at.0 as usize)?;
        match node.parent {
            // Parents precede their children, so this ends.
            Some(parent) if parent < at => at = parent,
            _ => {
                return match catalog.frames.get(node.frame.0 as usize) {
                    Some(Frame::Broken(end)) => Some(*end),
                    _ => None,
                };
            }
        }
    }
}

/// All caveats, once each, in the order in which they arose.
fn caveats(catalog: &Catalog, attributed: &Attributed) -> Vec<Caveat> {
    let at_end = catalog.end.iter().flat_map(|end| &end.caveats);
    let mut seen = BTreeSet::new();
    let all = catalog.header.caveats.iter().chain(at_end);
    let all = all.chain(&catalog.caveats).chain(&attributed.caveats);
    all.filter(|caveat| seen.insert(*caveat)).cloned().collect()
}
