//! The ledgers of several runs, added up: meters of the same kind and name are
//! one, on whatever host.

use std::collections::{BTreeMap, HashMap};

use crate::attribute::{HalfWidth, Ledger, MeterLedger, Weighing};
use crate::measurement::{Domain, Meter, MeterId};
use crate::profile::Profile;

/// What makes two meters one: name, domain, and whether it is part of others.
type Key = (String, Domain, bool);

/// Ledgers that are being added up.
#[derive(Debug, Default)]
pub(super) struct Meters {
    numbers: HashMap<Key, MeterId>,
    ledgers: Vec<MeterLedger>,
    described: Vec<Meter>,
    weighings: BTreeMap<MeterId, Weighing>,
}

impl Meters {
    /// Adds the ledger of `profile`, and tells which meters of the sum its
    /// own are.
    pub(super) fn add(&mut self, profile: &Profile) -> HashMap<MeterId, MeterId> {
        let described = &profile.summary.header.meters;
        let mut ids = HashMap::new();
        for ledger in &profile.ledger.meters {
            let meter = described.iter().find(|meter| meter.id == ledger.meter);
            let id = self.number(ledger, meter);
            ids.insert(ledger.meter, id);
            let weighings = &profile.summary.weighings;
            if let Some(weighing) = weighings.iter().find(|of| of.meter == ledger.meter) {
                self.weigh(id, weighing);
            }
        }
        ids
    }

    /// The meter of the sum that `ledger` belongs to; adds it there.
    fn number(&mut self, ledger: &MeterLedger, meter: Option<&Meter>) -> MeterId {
        let key = (ledger.name.clone(), ledger.domain, ledger.nested);
        if let Some(&id) = self.numbers.get(&key)
            && let Some(sum) = self.ledgers.get_mut(usize::from(id.0))
        {
            add(sum, ledger);
            return id;
        }
        // There are no more names than numbers; the last takes what is over.
        let id = MeterId(u16::try_from(self.ledgers.len()).unwrap_or(u16::MAX));
        match self.ledgers.get_mut(usize::from(id.0)) {
            Some(sum) => add(sum, ledger),
            None => self.ledgers.push(MeterLedger {
                meter: id,
                ..ledger.clone()
            }),
        }
        self.described.extend(meter.map(|meter| Meter {
            id,
            ..meter.clone()
        }));
        self.numbers.insert(key, id);
        id
    }

    /// How well a rule predicts is known run by run only.
    fn weigh(&mut self, meter: MeterId, weighing: &Weighing) {
        let Some(first) = self.weighings.get_mut(&meter) else {
            let weighing = Weighing {
                meter,
                ..weighing.clone()
            };
            self.weighings.insert(meter, weighing);
            return;
        };
        first.held_out = None;
        first.time_share = None;
        first.blocks = first.blocks.saturating_add(weighing.blocks);
        if first.signals != weighing.signals {
            first.signals.clear();
        }
        if first.rule != weighing.rule {
            first.why = "not the same in all runs".to_owned();
        }
    }

    /// The sum, with the description of its meters.
    pub(super) fn finish(self) -> (Ledger, Described) {
        let described = Described {
            meters: self.described,
            weighings: self.weighings.into_values().collect(),
        };
        let meters = self.ledgers;
        (Ledger { meters }, described)
    }
}

/// The meters of a sum.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) meters: Vec<Meter>,
    pub(super) weighings: Vec<Weighing>,
}

fn add(sum: &mut MeterLedger, ledger: &MeterLedger) {
    let MeterLedger {
        meter: _,
        domain: _,
        name: _,
        provenance,
        nested: _,
        total,
        unknown,
        baseline,
        accounts,
        widths,
    } = ledger;
    sum.provenance = sum.provenance.max(*provenance);
    sum.total += *total;
    sum.unknown += *unknown;
    // Above idle is known of the sum where it is known of all parts.
    sum.baseline = sum.baseline.zip(*baseline).map(|(a, b)| a + b);
    for (account, energy) in accounts {
        *sum.accounts.entry(*account).or_default() += *energy;
    }
    for (account, width) in widths {
        let both = sum.widths.entry(*account).or_default();
        *both = wider(*both, *width);
    }
}

/// The half width of the sum of two runs.
fn wider(a: HalfWidth, b: HalfWidth) -> HalfWidth {
    HalfWidth {
        timing: a.timing.hypot(b.timing),
        sampling: a.sampling.hypot(b.sampling),
        baseline: a.baseline + b.baseline,
        weights: a.weights + b.weights,
    }
}
