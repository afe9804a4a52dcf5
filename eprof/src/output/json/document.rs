//! The shape of the report; the order of fields is the order of keys.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::attribute::{Account, Energy};
use crate::caveat::Caveat;
use crate::measurement::Loss;
use crate::profile::Profile;
use crate::unit::Microjoules;

use super::super::format::accounts::target_half;
use super::super::format::energy::EnergyText;
use super::super::listing::Listing;
use super::super::view::{By, View};
use super::carbon::Emitted;
use super::energy::EnergyValue;
use super::members::Member;
use super::meters::{Entry, Source, ledger, source};
use super::origin::{Footprint, Recording, footprint, recording};
use super::rows::{Cpu, Function, Module, Process, Thread};
use super::schema::VERSION;
use super::signals::Signals;

#[derive(Serialize)]
pub(super) struct Report<'p> {
    schema: &'static str,
    command: &'p [String],
    exit_code: Option<i32>,
    duration_s: f64,
    source: Source<'p>,
    energy_uj: Option<u64>,
    target: EnergyValue,
    signals: Signals,
    carbon: Option<Emitted<'p>>,
    members: Vec<Member<'p>>,
    ledger: Vec<Entry<'p>>,
    processes: Vec<Process<'p>>,
    threads: Vec<Thread<'p>>,
    functions: Vec<Function<'p>>,
    modules: Vec<Module<'p>>,
    cpus: Vec<Cpu>,
    omitted: BTreeMap<&'static str, Omitted>,
    losses: Option<&'p Loss>,
    stacks: Stacks<'p>,
    footprint: Footprint<'p>,
    recording: Recording<'p>,
    caveats: &'p [Caveat],
}

/// How the stacks of all samples ended.
#[derive(Serialize)]
struct Stacks<'p> {
    samples: u64,
    whole: u64,
    ended: &'p BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Omitted {
    rows: usize,
    uj: Option<u64>,
    marginal_uj: Option<u64>,
}

/// Collects the rows of one kind and notes what is left out.
fn pick<'p, T, R>(
    (profile, view, energy_text): (&'p Profile, &View, EnergyText),
    by: By,
    rows: &'p [T],
    shape: impl Fn(&'p T) -> R,
    omitted: &mut BTreeMap<&'static str, Omitted>,
) -> Vec<R> {
    let meant = view.by.is_none_or(|asked| asked == by);
    let own = View {
        by: Some(by),
        ..*view
    };
    let sort = view.sort.filter(|_| meant && own.check().is_ok());
    if !meant || (sort.is_none() && view.limit.is_none()) {
        return rows.iter().map(shape).collect();
    }
    let listing = Listing::new(profile, by, sort, view.limit);
    if listing.rest.rows > 0 {
        let rest = Omitted {
            rows: listing.rest.rows,
            uj: energy_text.with_idle(listing.rest.energy),
            marginal_uj: energy_text.above_idle(listing.rest.energy),
        };
        omitted.insert(by.plural(), rest);
    }
    let picked = listing.positions.iter().filter_map(|at| rows.get(*at));
    picked.map(shape).collect()
}

impl<'p> Report<'p> {
    pub(super) fn new(profile: &'p Profile, view: &View) -> Self {
        let energy_text = EnergyText::of(profile);
        let summary = &profile.summary;
        let mut omitted = BTreeMap::new();
        let all = (profile, view, energy_text);
        let energy = |energy: Energy, ci90: u64| EnergyValue {
            uj: energy_text.with_idle(energy),
            marginal_uj: energy_text.above_idle(energy),
            ci90_uj: energy_text
                .known
                .then(|| energy_text.half(energy.with_idle, Microjoules(ci90))),
        };
        let target = profile.ledger.account(Account::Target);
        let mut target_energy = energy(target, target_half(profile).unwrap_or_default());
        if target_half(profile).is_none() && !energy_text.estimated {
            target_energy.ci90_uj = None;
        }
        Self {
            schema: VERSION,
            command: &summary.header.command.argv,
            exit_code: summary.exit_code,
            duration_s: summary.duration.seconds(),
            source: source(profile, energy_text),
            energy_uj: energy_text.known.then(|| profile.ledger.total().0),
            target: target_energy,
            signals: Signals::new(summary, &summary.signals.events),
            carbon: summary
                .carbon
                .as_ref()
                .map(|carbon| Emitted::new(carbon, profile, energy_text)),
            members: profile
                .members
                .iter()
                .map(|row| Member::new(row, energy(row.energy, row.ci90.0), energy_text.known))
                .collect(),
            ledger: ledger(profile, energy_text),
            processes: pick(
                all,
                By::Process,
                &profile.processes,
                |row| Process::new(row, energy(row.energy, row.ci90.0), profile),
                &mut omitted,
            ),
            threads: pick(
                all,
                By::Thread,
                &profile.threads,
                |row| Thread::new(row, energy(row.energy, row.ci90.0), profile),
                &mut omitted,
            ),
            functions: pick(
                all,
                By::Function,
                &profile.functions,
                |row| Function {
                    function: &row.key.function,
                    module: &row.key.module,
                    self_uj: energy_text.with_idle(row.own),
                    total_uj: energy_text.with_idle(row.total),
                    self_marginal_uj: energy_text.above_idle(row.own),
                    total_marginal_uj: energy_text.above_idle(row.total),
                    ci90_uj: energy(row.own, row.ci90.0).ci90_uj,
                    signals: Signals::of_counters(summary, &row.counts),
                    samples: row.samples,
                },
                &mut omitted,
            ),
            modules: pick(
                all,
                By::Module,
                &profile.modules,
                |row| Module {
                    module: &row.module,
                    energy: energy(row.own, row.ci90.0),
                    samples: row.samples,
                },
                &mut omitted,
            ),
            cpus: pick(
                all,
                By::Cpu,
                &profile.cpus,
                |row| Cpu {
                    cpu: row.cpu,
                    uj: energy_text.with_idle(row.energy),
                    marginal_uj: energy_text.above_idle(row.energy),
                    cpu_ns: row.on_cpu.0,
                },
                &mut omitted,
            ),
            omitted,
            // Nothing is known of them where there is no end.
            losses: (!profile.is_unfinished()).then_some(&profile.losses),
            stacks: Stacks {
                samples: profile.summary.stacks.samples,
                whole: profile.summary.stacks.whole(),
                ended: &profile.summary.stacks.ended,
            },
            footprint: footprint(profile, energy_text),
            recording: recording(profile),
            caveats: &profile.caveats,
        }
    }
}
