//! Which intervals there are, and where some are missing: cut out of a recording, or
//! never written.

use super::rules::{Broken, time};
use crate::recording::record::{Extent, IntervalRecord};
use crate::unit::Nanos;

/// The intervals that were seen, and what the end says of them.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    seen: Extent,
    said: Option<Extent>,
    /// Whether the first one has a length: the beginning has none.
    late: bool,
    /// Time between two intervals that is in none, and how often there was some.
    gaps: (Nanos, u64),
}

/// Intervals that are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::recording) struct Missing {
    /// How many; only the end tells.
    pub(in crate::recording) number: Option<u64>,
    /// Whether from the beginning, how often from the middle, whether from the end.
    pub(in crate::recording) places: (bool, u64, bool),
    /// How long they were, as far as that is known.
    pub(in crate::recording) time: Nanos,
}

impl Coverage {
    /// Takes note of an interval that begins no earlier than the last one ended.
    pub(super) fn interval(&mut self, interval: &IntervalRecord) {
        if self.seen.intervals == 0 {
            self.late = interval.begin < interval.end;
        } else if interval.begin > self.seen.end {
            let (time, gaps) = self.gaps;
            self.gaps = (time + interval.begin.since(self.seen.end), gaps + 1);
        }
        self.seen.add(interval.begin, interval.end);
    }

    /// Takes note of what the end says; refuses it where there are others.
    pub(super) fn end(&mut self, said: Extent) -> Result<(), Broken> {
        time(said.begin)?;
        time(said.end)?;
        if said.begin > said.end {
            return Err("has intervals that end before they begin".into());
        }
        let seen = self.seen;
        let outside = seen.begin < said.begin || seen.end > said.end;
        if seen.intervals > said.intervals || (seen.intervals > 0 && outside) {
            return Err("has intervals that its end does not know".into());
        }
        self.said = Some(said);
        Ok(())
    }

    /// What is missing, as far as was read.
    pub(super) fn missing(&self) -> Option<Missing> {
        let seen = self.seen;
        let mut time = self.gaps.0;
        let (mut beginning, mut end) = (self.late, false);
        let number = self.said.map(|said| said.intervals - seen.intervals);
        if let Some(said) = self.said {
            // Where all are, they are missing from wherever one looks.
            let (from, to) = match seen.intervals {
                0 => (said.end, said.end),
                _ => (seen.begin, seen.end),
            };
            beginning |= from > said.begin;
            end = to < said.end;
            time += from.since(said.begin) + said.end.since(to);
        }
        let places = (beginning, self.gaps.1, end);
        let missing = number.is_some_and(|number| number > 0) || places != (false, 0, false);
        missing.then_some(Missing {
            number,
            places,
            time,
        })
    }
}
