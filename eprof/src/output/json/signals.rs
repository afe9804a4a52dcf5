//! What was counted, in the report: all events by their keys, `null` where they
//! were not counted or cannot be trusted.

use serde::{Serialize, Serializer};

use crate::measurement::{COUNTERS, Counter, Event, Events};
use crate::profile::Summary;

use super::super::format::event::key;

/// The numbers of a row.
pub(super) struct Signals(Vec<(Event, Option<u64>)>);

impl Signals {
    /// All events.
    pub(super) fn new(summary: &Summary, events: &Events) -> Self {
        let all = Event::ALL.into_iter();
        Self(all.map(|of| (of, summary.counted(events, of))).collect())
    }

    /// Those of the hardware counters.
    pub(super) fn of_counters(summary: &Summary, counts: &[u64; COUNTERS]) -> Self {
        let all = Counter::ALL.into_iter();
        let one = |of: Counter| (of.into(), summary.counted_by(counts, of));
        Self(all.map(one).collect())
    }
}

impl Serialize for Signals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(event, number)| (key(*event), number)))
    }
}
