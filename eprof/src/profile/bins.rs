//! Amounts over time, in a bounded number of equal bins, exactly.

use crate::apportion::apportion;
use crate::unit::{Microjoules, Nanos, Timestamp};

/// The length of a bin to begin with.
const FINEST: u64 = 1_000_000;

/// The clock of the bins: equal lengths of time from a start on. Whenever they
/// no longer reach far enough, each two become one, so that the length of a run
/// does not have to be known, and its bins are never more than `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grain {
    /// Where the first bin begins.
    pub begin: Timestamp,
    /// The length of a bin: a power of two of milliseconds.
    pub width: Nanos,
    most: u32,
}

impl Grain {
    /// At most `most` bins from `begin` on.
    pub(super) fn new(begin: Timestamp, most: u32) -> Self {
        Self {
            begin,
            width: Nanos(FINEST),
            most: most.max(2),
        }
    }

    /// Makes the bins reach to `end`, and says how often each two became one.
    pub(super) fn reach(&mut self, end: Timestamp) -> u32 {
        let mut times = 0;
        // Nothing but the end of the clock is out of reach of a bin that long.
        while end.since(self.begin).0 / self.width.0 >= u64::from(self.most)
            && self.width.0 < u64::MAX / 2
        {
            self.width = Nanos(self.width.0 * 2);
            times += 1;
        }
        times
    }

    /// The bins that a span of time touches, each with the nanoseconds of
    /// it that lie there; one bin, and one nanosecond, for no time at all.
    pub(super) fn overlaps(&self, begin: Timestamp, end: Timestamp) -> Vec<(u32, u64)> {
        let (from, to) = (begin.since(self.begin).0, end.since(self.begin).0);
        let bin = |at: u64| u32::try_from(at / self.width.0).unwrap_or(u32::MAX);
        if to <= from {
            return vec![(bin(from), 1)];
        }
        let bins = bin(from)..=bin(to - 1);
        let overlap = |bin: u32| {
            let left = u64::from(bin) * self.width.0;
            to.min(left.saturating_add(self.width.0)) - from.max(left)
        };
        bins.map(|bin| (bin, overlap(bin))).collect()
    }
}

/// One amount over time: (bin, amount), ascending, without empty bins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bins(Vec<(u32, u64)>);

impl Bins {
    /// Splits `amount` over `overlaps`: what lies in the bins is `amount`, and
    /// each bin is less than one unit from its share of the time.
    pub(super) fn spread(&mut self, amount: u64, overlaps: &[(u32, u64)]) {
        if let [(bin, _)] = overlaps {
            return self.add(*bin, amount);
        }
        let times: Vec<u64> = overlaps.iter().map(|&(_, time)| time).collect();
        let parts = apportion(Microjoules(amount), &times);
        for (&(bin, _), part) in overlaps.iter().zip(parts) {
            self.add(bin, part.0);
        }
    }

    /// Adds to one bin.
    pub(super) fn add(&mut self, bin: u32, amount: u64) {
        if amount == 0 {
            return;
        }
        match self.0.last_mut() {
            Some((last, sum)) if *last == bin => *sum = sum.saturating_add(amount),
            Some((last, _)) if *last > bin => match self.0.binary_search_by_key(&bin, |of| of.0) {
                Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(amount),
                Err(at) => self.0.insert(at, (bin, amount)),
            },
            _ => self.0.push((bin, amount)),
        }
    }

    /// Adds all of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        for &(bin, amount) in &other.0 {
            self.add(bin, amount);
        }
    }

    /// Each two bins become one, `times` times.
    pub(super) fn coarsen(&mut self, times: u32) {
        if times == 0 {
            return;
        }
        for of in &mut self.0 {
            of.0 = of.0.checked_shr(times).unwrap_or(0);
        }
        self.0.dedup_by(|next, sum| {
            let same = next.0 == sum.0;
            if same {
                sum.1 = sum.1.saturating_add(next.1);
            }
            same
        });
    }

    /// What lies in each bin that is not empty, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.0.iter().copied()
    }

    /// All of it.
    pub fn sum(&self) -> u64 {
        self.0.iter().map(|&(_, amount)| amount).sum()
    }

    /// The number of bins up to the last that is not empty.
    pub fn len(&self) -> usize {
        self.0.last().map_or(0, |&(bin, _)| bin as usize + 1)
    }

    /// Whether there is nothing in any bin.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_lost_however_long_it_takes(
            spans in prop::collection::vec((0u64..50_000_000, 1u64..4_000_000_000, 0u64..1_000_000), 1..200),
        ) {
            let begin = Timestamp(77);
            let mut grain = Grain::new(begin, 64);
            let (mut energy, mut time) = (Bins::default(), Bins::default());
            let (mut at, mut spent, mut known) = (begin, 0, 0);
            for (gap, length, uj) in spans {
                let from = at + Nanos(gap);
                at = from + Nanos(length);
                let times = grain.reach(at);
                energy.coarsen(times);
                time.coarsen(times);
                let overlaps = grain.overlaps(from, at);
                prop_assert_eq!(overlaps.iter().map(|of| of.1).sum::<u64>(), length);
                energy.spread(uj, &overlaps);
                time.spread(length, &overlaps);
                spent += uj;
                known += length;
            }
            prop_assert_eq!(energy.sum(), spent);
            prop_assert_eq!(time.sum(), known);
            prop_assert!(energy.len() <= 65 && time.len() <= 65);
            // No bin holds more time than it is long.
            prop_assert!(time.iter().all(|(_, ns)| ns <= grain.width.0));
        }
    }

    #[test]
    fn a_span_lies_where_it_was() {
        let mut grain = Grain::new(Timestamp(1000), 4);
        assert_eq!(grain.reach(Timestamp(1000 + 9_000_000)), 2);
        assert_eq!(grain.width, Nanos(4_000_000));
        let overlaps = grain.overlaps(Timestamp(3_001_000), Timestamp(9_001_000));
        assert_eq!(overlaps, [(0, 1_000_000), (1, 4_000_000), (2, 1_000_000)]);
        let mut bins = Bins::default();
        bins.spread(600, &overlaps);
        assert_eq!(
            bins.iter().collect::<Vec<_>>(),
            [(0, 100), (1, 400), (2, 100)]
        );
        bins.coarsen(1);
        assert_eq!(bins.iter().collect::<Vec<_>>(), [(0, 500), (1, 100)]);
    }
}
