//! What can be said of a run while it lasts.

use crate::measurement::{MeterId, Provenance};
use crate::recording::{Header, IntervalRecord};
use crate::unit::{Microjoules, Nanos, Timestamp, Watts};

use super::tracks::Timeline;

/// What can be said of the run after an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveStatus {
    /// When the interval ended.
    pub at: Timestamp,
    /// Since the measurement began.
    pub elapsed: Nanos,
    /// Power of all meters that add up, over the interval; `None` where
    /// unknown.
    pub power: Option<Watts>,
    /// Energy since the measurement began, likewise.
    pub energy: Option<Microjoules>,
    /// Whether those are estimated.
    pub estimated: bool,
    /// Threads seen, each exec counted anew.
    pub threads: u64,
    /// Samples taken.
    pub samples: u64,
}

/// Keeps the moment up to date; a look ahead at what the analysis will do.
#[derive(Debug)]
pub(crate) struct LiveTimeline {
    timeline: Timeline,
    disjoint: Vec<MeterId>,
    began: Timestamp,
    moment: LiveStatus,
}

impl LiveTimeline {
    pub(crate) fn new(header: &Header, began: Timestamp) -> Self {
        let disjoint = header.meters.iter().filter(|meter| !meter.nested);
        Self {
            timeline: Timeline::new(header),
            began,
            moment: LiveStatus {
                estimated: disjoint
                    .clone()
                    .any(|meter| meter.provenance == Provenance::Estimated),
                ..LiveStatus::default()
            },
            disjoint: disjoint.map(|meter| meter.id).collect(),
        }
    }

    /// When the measurement began.
    pub(crate) fn began(&self) -> Timestamp {
        self.began
    }

    /// Takes in a closed interval.
    pub(crate) fn advance(&mut self, record: &IntervalRecord, threads: u64) -> LiveStatus {
        let stretches = self.timeline.push(record);
        let mut power = None;
        for meter in &self.disjoint {
            let of = || stretches.iter().filter(|of| of.meter == *meter);
            for energy in of().filter_map(|stretch| stretch.energy) {
                let before = self.moment.energy.unwrap_or_default();
                self.moment.energy = Some(before + energy);
            }
            // Where one push settles several stretches, the last is now.
            if let Some(stretch) = of().next_back()
                && let Some(energy) = stretch.energy
                && let Some(Watts(watts)) = energy.over(stretch.end.since(stretch.begin))
            {
                power = Some(Watts(watts + power.map_or(0.0, |Watts(sum)| sum)));
            }
        }
        let samples = record.samples.iter().map(|sample| u64::from(sample.count));
        self.moment.samples += samples.sum::<u64>();
        self.moment.power = power;
        self.moment.at = record.end;
        self.moment.elapsed = record.end.since(self.began);
        self.moment.threads = threads;
        self.moment
    }
}
