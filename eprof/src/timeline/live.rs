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

/// Keeps the status up to date, ahead of the analysis.
#[derive(Debug)]
pub(crate) struct LiveTimeline {
    timeline: Timeline,
    disjoint: Vec<MeterId>,
    began: Option<Timestamp>,
    status: LiveStatus,
}

impl LiveTimeline {
    pub(crate) fn new(header: &Header) -> Self {
        let disjoint = header.meters.iter().filter(|meter| !meter.nested);
        Self {
            timeline: Timeline::new(header),
            began: None,
            status: LiveStatus {
                estimated: disjoint
                    .clone()
                    .any(|meter| meter.provenance == Provenance::Estimated),
                ..LiveStatus::default()
            },
            disjoint: disjoint.map(|meter| meter.id).collect(),
        }
    }

    /// Takes in a closed interval; `None` for the first one, which has no
    /// length: the measurement begins with it.
    pub(crate) fn advance(&mut self, record: &IntervalRecord, threads: u64) -> Option<LiveStatus> {
        let spans = self.timeline.push(record);
        let Some(began) = self.began else {
            self.began = Some(record.end);
            return None;
        };
        let mut power = None;
        for meter in &self.disjoint {
            let of = || spans.iter().filter(|of| of.meter == *meter);
            for energy in of().filter_map(|span| span.energy) {
                let before = self.status.energy.unwrap_or_default();
                self.status.energy = Some(before + energy);
            }
            // Where one push completes several spans, the last is now.
            if let Some(span) = of().next_back()
                && let Some(energy) = span.energy
                && let Some(Watts(watts)) = energy.over(span.end.since(span.begin))
            {
                power = Some(Watts(watts + power.map_or(0.0, |Watts(sum)| sum)));
            }
        }
        let samples = record.samples.iter().map(|sample| u64::from(sample.count));
        self.status.samples += samples.sum::<u64>();
        self.status.power = power;
        self.status.at = record.end;
        self.status.elapsed = record.end.since(began);
        self.status.threads = threads;
        Some(self.status)
    }
}
