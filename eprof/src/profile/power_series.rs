//! Power over time: which meter said how much when, and who paid. From the
//! same spans as the ledger, and equal to it to the microjoule.

use std::collections::BTreeMap;

use crate::attribute::{Account, Attributed, ChargedSpan, Observer};
use crate::measurement::{MeterId, TaskId};
use crate::recording::{Catalog, Header};
use crate::unit::{Nanos, Timestamp};

use super::bins::{Bins, Grain};
use super::consumers::{Consumer, Group, consumers};

/// Most bins of a run.
const MOST_BINS: u32 = 512;

/// Energy over time by one meter.
#[derive(Clone, Debug, Default)]
pub struct MeterSeries {
    /// Nanoseconds in each bin for which the energy is known.
    pub known: Bins,
    /// The largest consumers, as in [`PowerSeries::consumers`], in microjoules
    /// with their share of idle.
    pub consumers: Vec<Bins>,
    /// The rest of the target.
    pub rest: Bins,
    /// Every account but the target.
    pub accounts: BTreeMap<Account, Bins>,
}

impl MeterSeries {
    /// All energy, microjoules: what the meter said.
    pub fn sum(&self) -> u64 {
        self.bands().map(Bins::sum).sum()
    }

    /// All that lies on top of each other under the meter's line.
    pub fn bands(&self) -> impl Iterator<Item = &Bins> {
        let accounts = self.accounts.values();
        self.consumers.iter().chain([&self.rest]).chain(accounts)
    }
}

/// Power over time.
#[derive(Clone, Debug)]
pub struct PowerSeries {
    /// The bins.
    pub grain: Grain,
    /// When it began: the target, or the first span, whichever was first.
    pub begin: Timestamp,
    /// When it began to be measured.
    pub measured: Timestamp,
    /// When it was over: the end of the target, or of the last span.
    pub end: Timestamp,
    /// By meter, in the order of the ledger.
    pub meters: Vec<MeterSeries>,
    /// Whom the energy went to, most first: at most as many as were asked for.
    pub consumers: Vec<Consumer>,
    /// How many others there are, and what they took over all disjoint meters.
    pub others: (usize, u64),
    /// What consumers are.
    pub group: Group,
}

/// Energy over time as it is charged. Needs memory for a bounded number of bins
/// for each thread, and only those in which it ran.
#[derive(Debug)]
pub struct PowerSeriesObserver {
    grain: Grain,
    first: Option<Timestamp>,
    end: Timestamp,
    known: BTreeMap<MeterId, Bins>,
    threads: BTreeMap<(MeterId, TaskId), Bins>,
    accounts: BTreeMap<(MeterId, Account), Bins>,
}

impl PowerSeriesObserver {
    /// Nothing yet, of the recording that starts with `header`.
    pub fn new(header: &Header) -> Self {
        Self {
            grain: Grain::new(header.started, MOST_BINS),
            first: None,
            end: header.started,
            known: BTreeMap::new(),
            threads: BTreeMap::new(),
            accounts: BTreeMap::new(),
        }
    }

    /// Power over time of the recording with the catalogue `catalog`, with the
    /// `most` largest consumers apart; `group` says what those are (`None`:
    /// what fits the run).
    pub fn finish(
        mut self,
        catalog: &Catalog,
        attributed: &Attributed,
        group: Option<Group>,
        most: usize,
    ) -> PowerSeries {
        let group = group.unwrap_or_else(|| Group::fitting(catalog, attributed));
        let grouped = consumers(catalog, attributed, group, most);
        let mut meters = Vec::with_capacity(attributed.ledger.meters.len());
        for ledger in &attributed.ledger.meters {
            let meter = ledger.meter;
            let mut series = MeterSeries {
                known: self.known.remove(&meter).unwrap_or_default(),
                consumers: vec![Bins::default(); grouped.largest.len()],
                ..MeterSeries::default()
            };
            for account in Account::ALL.into_iter().skip(1) {
                if let Some(bins) = self.accounts.remove(&(meter, account)) {
                    series.accounts.insert(account, bins);
                }
            }
            let tasks = (meter, TaskId(0))..=(meter, TaskId(u32::MAX));
            for (&(_, task), bins) in self.threads.range(tasks) {
                let place = grouped.of_task.get(&task);
                let place = place.and_then(|&at| series.consumers.get_mut(at));
                place.unwrap_or(&mut series.rest).merge(bins);
            }
            meters.push(series);
        }
        let header = &catalog.header;
        let ended = catalog.end.as_ref().map_or(attributed.until, |of| of.ended);
        // The first that is the command itself, after its exec.
        let command = catalog.tasks.iter().find(|task| task.generation > 0);
        let command = command.map(|task| task.began);
        let measured = self.first.unwrap_or(header.started);
        PowerSeries {
            grain: self.grain,
            begin: command.map_or(measured, |began| began.min(measured)),
            measured,
            end: ended.max(self.end),
            meters,
            consumers: grouped.largest,
            others: grouped.others,
            group,
        }
    }
}

impl Observer for PowerSeriesObserver {
    fn span(&mut self, span: &ChargedSpan<'_>) {
        let interval = span.interval;
        let first = self.first.get_or_insert(interval.begin);
        *first = interval.begin.min(*first);
        self.end = self.end.max(interval.end);
        let times = self.grain.reach(interval.end);
        if times > 0 {
            let known = self.known.values_mut();
            let all = known.chain(self.threads.values_mut());
            all.chain(self.accounts.values_mut())
                .for_each(|bins| bins.coarsen(times));
        }
        let meter = interval.meter;
        let overlaps = self.grain.overlaps(interval.begin, interval.end);
        let Nanos(length) = interval.end.since(interval.begin);
        let known = self.known.entry(meter).or_default();
        known.spread(length, &overlaps);
        for (task, energy) in span.threads().filter(|(_, energy)| energy.with_idle.0 > 0) {
            let bins = self.threads.entry((meter, task)).or_default();
            bins.spread(energy.with_idle.0, &overlaps);
        }
        for account in Account::ALL.into_iter().skip(1) {
            let paid = span.charged(account).with_idle.0;
            if paid > 0 {
                let bins = self.accounts.entry((meter, account)).or_default();
                bins.spread(paid, &overlaps);
            }
        }
    }
}
