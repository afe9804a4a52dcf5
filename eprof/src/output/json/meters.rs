//! The meters and the ledger in the report.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::attribute::{Account, Energy, MeterLedger, Weighing};
use crate::measurement::{Meter, MeterId, Provenance, Scope};
use crate::power::Errors;
use crate::profile::Profile;

use super::super::format::attribution;
use super::super::format::energy::{EnergyText, has_reading};
use super::energy::EnergyValue;

#[derive(Serialize)]
pub(super) struct Source<'p> {
    kind: Option<String>,
    provenance: &'static str,
    band: Option<Band>,
    weights: String,
    meters: Vec<MeterInfo<'p>>,
}

#[derive(Serialize)]
struct Band {
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct MeterInfo<'p> {
    id: u16,
    kind: Option<&'static str>,
    name: &'p str,
    domain: &'static str,
    scope: Option<Scope>,
    provenance: &'static str,
    nested: bool,
    total_uj: Option<u64>,
    unknown_s: f64,
    baseline_uj: Option<u64>,
    sharing: Option<Sharing<'p>>,
}

/// What divided the meter's energy above idle.
#[derive(Serialize)]
struct Sharing<'p> {
    rule: &'static str,
    why: &'p str,
    prior: &'p str,
    signals: BTreeMap<String, f64>,
    held_out: Option<Errors>,
    time_share: Option<Errors>,
    blocks: u64,
}

impl<'p> Sharing<'p> {
    fn of(weighing: &'p Weighing) -> Self {
        let mut signals = BTreeMap::new();
        for (signal, weight) in &weighing.signals {
            *signals.entry(signal.name()).or_default() += weight;
        }
        Self {
            rule: weighing.rule.name(),
            why: &weighing.why,
            prior: &weighing.prior,
            signals,
            held_out: weighing.held_out,
            time_share: weighing.time_share,
            blocks: weighing.blocks,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Entry<'p> {
    account: &'static str,
    domain: &'static str,
    #[serde(flatten)]
    energy: EnergyValue,
    meter: &'p str,
    meter_id: u16,
    nested: bool,
}

fn meter_of(profile: &Profile, id: MeterId) -> Option<&Meter> {
    profile.summary.header.meters.iter().find(|m| m.id == id)
}

pub(super) fn source(profile: &Profile, energy_text: EnergyText) -> Source<'_> {
    let mut kinds: Vec<&str> = Vec::new();
    for ledger in profile.ledger.disjoint() {
        let kind = meter_of(profile, ledger.meter).map(|meter| meter.kind.name());
        kinds.extend(kind.filter(|kind| !kinds.contains(kind)));
    }
    Source {
        kind: (!kinds.is_empty()).then(|| kinds.join("+")),
        provenance: energy_text.provenance(),
        band: energy_text.band.map(|(low, high)| Band { low, high }),
        weights: attribution::rules(profile),
        meters: profile
            .ledger
            .meters
            .iter()
            .map(|ledger| meter(profile, ledger))
            .collect(),
    }
}

fn meter<'p>(profile: &'p Profile, ledger: &'p MeterLedger) -> MeterInfo<'p> {
    let meter = meter_of(profile, ledger.meter);
    let estimated = ledger.provenance == Provenance::Estimated;
    MeterInfo {
        id: ledger.meter.0,
        kind: meter.map(|meter| meter.kind.name()),
        name: &ledger.name,
        domain: ledger.domain.name(),
        scope: meter.map(|meter| meter.scope),
        provenance: if estimated { "estimated" } else { "measured" },
        nested: ledger.nested,
        total_uj: has_reading(ledger).then_some(ledger.total.0),
        unknown_s: ledger.unknown.seconds(),
        baseline_uj: ledger.baseline.map(|energy| energy.0),
        sharing: profile
            .summary
            .weighings
            .iter()
            .find(|of| of.meter == ledger.meter)
            .map(Sharing::of),
    }
}

pub(super) fn ledger(profile: &Profile, energy_text: EnergyText) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for meter in &profile.ledger.meters {
        for account in Account::ALL {
            let energy = meter.accounts.get(&account).copied().unwrap_or_default();
            // Nothing booked as idle where idle power is unknown is not an
            // idle energy of zero.
            let known = has_reading(meter)
                && (account != Account::Idle
                    || meter.baseline.is_some()
                    || energy != Energy::default());
            let width = meter.widths.get(&account);
            let half = width.map(|width| energy_text.half(energy.with_idle, width.total()));
            entries.push(Entry {
                account: account.name(),
                domain: meter.domain.name(),
                energy: EnergyValue {
                    uj: known.then_some(energy.with_idle.0),
                    marginal_uj: (known && meter.baseline.is_some()).then_some(energy.above_idle.0),
                    ci90_uj: half.filter(|_| known),
                },
                meter: &meter.name,
                meter_id: meter.meter.0,
                nested: meter.nested,
            });
        }
    }
    entries
}
