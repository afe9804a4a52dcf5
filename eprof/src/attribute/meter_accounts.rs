//! One meter's accounts: what it counted, and which account is charged.

use std::collections::BTreeMap;

use crate::measurement::{Meter, MeterId};
use crate::timeline::BoundaryError;
use crate::unit::{Microjoules, Nanos};

use super::activity::Activity;
use super::idle::IdleDraw;
use super::ledger::{Account, Energy, MeterLedger};
use super::uncertainty::{Boundaries, Errors, Spread};
use crate::apportion::apportion;

/// A row's energy and spread, by one meter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Charge {
    pub(super) energy: Energy,
    pub(super) spread: Spread,
}

/// Charges of one row by all meters.
pub(super) type Charges = BTreeMap<MeterId, Charge>;

/// What one consumer is charged with for one span.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    pub(super) energy: Energy,
    /// Its part of a microjoule that the span gains by a shifted boundary.
    pub(super) share: f64,
    /// d(energy with idle share)/d(idle power), seconds.
    pub(super) lever: f64,
}

/// Who is charged with a span.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    /// Those who ran, in the order in which they were given.
    pub(super) consumers: Vec<Share>,
    /// The idle account.
    pub(super) idle: Energy,
    /// What no consumer can be charged with.
    pub(super) unattributed: Energy,
}

impl std::ops::AddAssign for Share {
    fn add_assign(&mut self, rhs: Self) {
        let Self {
            energy,
            share,
            lever,
        } = rhs;
        self.energy += energy;
        self.share += share;
        self.lever += lever;
    }
}

impl Charge {
    /// Adds the share of one span.
    pub(super) fn add(&mut self, share: &Share, boundaries: &Boundaries) {
        self.energy += share.energy;
        self.spread.add(share.share, share.lever, boundaries);
    }
}

/// The accounts of one meter.
#[derive(Clone, Debug)]
pub(super) struct MeterAccounts {
    meter: Meter,
    pub(super) idle: Option<IdleDraw>,
    pub(super) boundaries: Boundaries,
    total: Microjoules,
    unknown: Nanos,
    accounts: BTreeMap<Account, Charge>,
}

impl MeterAccounts {
    /// Empty accounts.
    pub(super) fn new(meter: &Meter, idle: Option<IdleDraw>) -> Self {
        Self {
            meter: meter.clone(),
            idle,
            boundaries: Boundaries::default(),
            total: Microjoules::ZERO,
            unknown: Nanos::ZERO,
            accounts: Account::ALL
                .map(|account| (account, Charge::default()))
                .into(),
        }
    }

    /// Which meter.
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// What the meter counted so far.
    pub(super) fn total(&self) -> Microjoules {
        self.total
    }

    /// A span whose energy is unknown.
    pub(super) fn unknown(&mut self, length: Nanos) {
        self.unknown += length;
        self.boundaries.gap();
    }

    /// Charges the `energy` of a span to `activity.consumers`, whose weights are
    /// `weights`, to the idle account, and, where nothing ran, to `unattributed`.
    ///
    /// The dynamic part is split by weight, the baseline by CPU time, where
    /// the time in which nothing ran goes to `idle`.
    pub(super) fn charge(
        &mut self,
        energy: Microjoules,
        length: Nanos,
        boundary: BoundaryError,
        activity: &Activity,
        weights: &[u64],
    ) -> Shares {
        self.boundaries.next(boundary);
        self.total += energy;
        let idle = self.idle.as_mut();
        let base = idle.map_or(Microjoules::ZERO, |idle| idle.take(energy, length));
        let dynamic = Microjoules(energy.0 - base.0);
        // Where the baseline took all there was, a bit more energy would be
        // baseline, and a bit more idle power would change nothing.
        let exhausted = dynamic.0 == 0 && base.0 > 0;

        let consumers = activity.consumers.iter();
        let mut times: Vec<u64> = consumers.map(|(_, work)| work.time).collect();
        times.push(activity.idle);
        let dynamics = apportion(dynamic, weights);
        let bases = apportion(base, &times);
        let weight: f64 = weights.iter().map(|&weight| weight as f64).sum();
        let time: f64 = times.iter().map(|&time| time as f64).sum();
        let part = |of: u64, all: f64| if all > 0.0 { of as f64 / all } else { 0.0 };
        let seconds = match self.idle {
            Some(_) if !exhausted => length.seconds(),
            _ => 0.0,
        };

        let mut idle = Share::default();
        let mut unattributed = Share::default();
        if time > 0.0 {
            let part = part(activity.idle, time);
            idle.energy.with_idle = bases.last().copied().unwrap_or_default();
            idle.share = if exhausted { part } else { 0.0 };
            idle.lever = seconds * part;
        } else {
            idle.energy.with_idle = base;
            idle.share = if exhausted { 1.0 } else { 0.0 };
            idle.lever = seconds;
        }
        idle.energy.above_idle = base;
        if weight <= 0.0 {
            unattributed = Share {
                energy: Energy {
                    with_idle: dynamic,
                    above_idle: dynamic,
                },
                share: if exhausted { 0.0 } else { 1.0 },
                lever: -seconds,
            };
        }

        let mut shares = Vec::with_capacity(activity.consumers.len());
        let mut sums: BTreeMap<Account, Share> = BTreeMap::new();
        for (index, &(consumer, _)) in activity.consumers.iter().enumerate() {
            let by_weight = part(weights[index], weight);
            let by_time = part(times[index], time);
            let share = Share {
                energy: Energy {
                    with_idle: dynamics[index] + bases[index],
                    above_idle: dynamics[index],
                },
                share: if exhausted { by_time } else { by_weight },
                lever: seconds * (by_time - by_weight),
            };
            *sums.entry(consumer.account()).or_default() += share;
            shares.push(share);
        }
        let shares = Shares {
            consumers: shares,
            idle: idle.energy,
            unattributed: unattributed.energy,
        };
        sums.insert(Account::Idle, idle);
        sums.insert(Account::Unattributed, unattributed);
        for (account, sum) in sums {
            let charge = self.accounts.entry(account).or_default();
            charge.add(&sum, &self.boundaries);
        }
        shares
    }

    /// Closes the accounts. `weighed` says how wrong an account's energy above
    /// idle may be by the weights.
    pub(super) fn close(self, weighed: impl Fn(Account, Microjoules) -> (f64, f64)) -> MeterLedger {
        let sd_w = self.idle_sd_w();
        let widths = self.accounts.iter().map(|(&account, charge)| {
            let mut errors = Errors::default();
            errors.add(charge.spread, sd_w);
            errors.weigh(weighed(account, charge.energy.above_idle));
            (account, errors.half_width())
        });
        MeterLedger {
            widths: widths.collect(),
            meter: self.meter.id,
            domain: self.meter.domain,
            name: self.meter.name,
            provenance: self.meter.provenance,
            nested: self.meter.nested,
            total: self.total,
            unknown: self.unknown,
            baseline: self.idle.map(|idle| idle.taken()),
            accounts: self
                .accounts
                .into_iter()
                .map(|(account, charge)| (account, charge.energy))
                .collect(),
        }
    }

    /// Standard deviation of the idle power, watts.
    pub(super) fn idle_sd_w(&self) -> f64 {
        self.idle.map_or(0.0, |idle| idle.sd_w())
    }
}
