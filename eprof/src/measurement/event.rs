//! What is counted while something runs.

use std::ops::{AddAssign, Index, IndexMut, SubAssign};

pub use eprof_common::COUNTERS;
use eprof_common::{AMOUNTS, OCCURRENCES, cell};
use serde::{Deserialize, Serialize};

/// How many events there are.
pub const EVENTS: usize = AMOUNTS + OCCURRENCES;

/// A hardware counter; the number is its place in a sample's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Counter {
    /// CPU cycles (`PERF_COUNT_HW_CPU_CYCLES`).
    Cycles,
    /// Cycles of a clock of fixed frequency (`PERF_COUNT_HW_REF_CPU_CYCLES`).
    ReferenceCycles,
    /// Retired instructions (`PERF_COUNT_HW_INSTRUCTIONS`).
    Instructions,
    /// Misses of the last-level cache (`PERF_COUNT_HW_CACHE_MISSES`).
    CacheMisses,
}

impl Counter {
    /// All of them, in the order of their places.
    pub const ALL: [Self; COUNTERS] = [
        Self::Cycles,
        Self::ReferenceCycles,
        Self::Instructions,
        Self::CacheMisses,
    ];

    /// As it is called in outputs and in recordings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::ReferenceCycles => "reference-cycles",
            Self::Instructions => "instructions",
            Self::CacheMisses => "cache-misses",
        }
    }
}

/// What is counted of each thread and each CPU in every interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Event {
    /// Nanoseconds on a CPU while its SMT sibling was busy, too; none where
    /// there are no siblings.
    SmtShared,
    /// Events of a hardware counter.
    Counter(Counter),
    /// How often a thread was switched out.
    Switches,
    /// Of those, how often because it went to sleep: so often it was woken.
    Wakeups,
    /// How often a thread ran on another CPU than the last time (target only).
    Migrations,
}

/// What an event is a number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventUnit {
    /// Nanoseconds.
    Nanoseconds,
    /// Occurrences.
    Count,
}

impl Event {
    /// All of them, in the order of their places.
    pub const ALL: [Self; EVENTS] = [
        Self::SmtShared,
        Self::Counter(Counter::Cycles),
        Self::Counter(Counter::ReferenceCycles),
        Self::Counter(Counter::Instructions),
        Self::Counter(Counter::CacheMisses),
        Self::Switches,
        Self::Wakeups,
        Self::Migrations,
    ];

    /// Its place in [`Events`]: the order of
    /// the kernel's cells, amounts before occurrences.
    pub const fn place(self) -> usize {
        match self {
            Self::SmtShared => cell::SMT_SHARED,
            Self::Counter(counter) => cell::FIRST_COUNTER + counter as usize,
            Self::Switches => AMOUNTS + cell::SWITCHES,
            Self::Wakeups => AMOUNTS + cell::WAKEUPS,
            Self::Migrations => AMOUNTS + cell::MIGRATIONS,
        }
    }

    /// As it is called in outputs and in recordings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SmtShared => "smt-shared",
            Self::Counter(counter) => counter.name(),
            Self::Switches => "switches",
            Self::Wakeups => "wakeups",
            Self::Migrations => "migrations",
        }
    }

    /// What it is a number of.
    pub const fn unit(self) -> EventUnit {
        match self {
            Self::SmtShared => EventUnit::Nanoseconds,
            Self::Counter(_) | Self::Switches | Self::Wakeups | Self::Migrations => {
                EventUnit::Count
            }
        }
    }

    /// The event of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// The events that are counted where these `counters` run, in the order of
    /// their places: all but the other counters.
    pub fn with(counters: &[Counter]) -> Vec<Self> {
        let counted = |event: &Self| match event {
            Self::Counter(counter) => counters.contains(counter),
            _ => true,
        };
        Self::ALL.into_iter().filter(counted).collect()
    }
}

// `ALL` has every place once, so a new event is in all sums, recordings and
// checks, which go by it.
const _: () = {
    let mut place = 0;
    while place < EVENTS {
        assert!(Event::ALL[place].place() == place);
        place += 1;
    }
};

impl From<Counter> for Event {
    fn from(counter: Counter) -> Self {
        Self::Counter(counter)
    }
}

impl From<Event> for &'static str {
    fn from(event: Event) -> Self {
        event.name()
    }
}

impl TryFrom<String> for Event {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::named(&name).ok_or_else(|| format!("there is no event “{name}”"))
    }
}

impl From<Counter> for &'static str {
    fn from(counter: Counter) -> Self {
        counter.name()
    }
}

impl TryFrom<String> for Counter {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|counter| counter.name() == name);
        found.ok_or_else(|| format!("there is no counter “{name}”"))
    }
}

/// A number for each event, by [`Event::place`]; zero for what is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Events(#[serde(with = "by_event")] pub [u64; EVENTS]);

impl Events {
    /// What the hardware counters counted, and nothing else.
    pub fn counted(counts: [u64; COUNTERS]) -> Self {
        let mut events = Self::default();
        for (counter, count) in Counter::ALL.into_iter().zip(counts) {
            events[counter] = count;
        }
        events
    }

    /// What the hardware counters counted, by [`Counter`].
    pub fn counts(&self) -> [u64; COUNTERS] {
        Counter::ALL.map(|counter| self[counter])
    }

    /// Each event with its number, in the order of [`Event::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Event, u64)> {
        Event::ALL.into_iter().zip(self.0)
    }
}

impl<E: Into<Event>> Index<E> for Events {
    type Output = u64;

    fn index(&self, event: E) -> &u64 {
        &self.0[event.into().place()]
    }
}

impl<E: Into<Event>> IndexMut<E> for Events {
    fn index_mut(&mut self, event: E) -> &mut u64 {
        &mut self.0[event.into().place()]
    }
}

impl SubAssign for Events {
    /// Takes a part away; there is never less than nothing.
    fn sub_assign(&mut self, part: Self) {
        for (whole, part) in self.0.iter_mut().zip(part.0) {
            *whole = whole.saturating_sub(part);
        }
    }
}

impl AddAssign for Events {
    fn add_assign(&mut self, more: Self) {
        for (sum, more) in self.0.iter_mut().zip(more.0) {
            *sum = sum.saturating_add(more);
        }
    }
}

/// Numbers of events as a map by name, without those that are zero.
mod by_event {
    use serde::{Deserializer, Serializer};

    use super::super::by_name;
    use super::{EVENTS, Event};

    pub(super) fn serialize<S: Serializer>(
        numbers: &[u64; EVENTS],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        by_name::serialize(Event::ALL.into_iter().zip(*numbers), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u64; EVENTS], D::Error> {
        by_name::deserialize(deserializer, Event::place)
    }
}

/// The same for the hardware counters alone, as in samples.
pub(crate) mod by_counter {
    use serde::{Deserializer, Serializer};

    use super::super::by_name;
    use super::{COUNTERS, Counter};

    pub(crate) fn serialize<S: Serializer>(
        counts: &[u64; COUNTERS],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        by_name::serialize(Counter::ALL.into_iter().zip(*counts), serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u64; COUNTERS], D::Error> {
        by_name::deserialize(deserializer, |counter: Counter| counter as usize)
    }
}
