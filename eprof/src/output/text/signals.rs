//! Columns of what was counted, in a breakdown.

use crate::measurement::{Counter, Event, Events};
use crate::output::format::event::{per_cycle, value};

use super::grid::{Column, LUXURY};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignalColumn {
    /// The number of an event, under a title; left out the sooner the higher the
    /// last number.
    Number(Event, &'static str, u8),
    /// Instructions per cycle.
    PerCycle,
}

/// How an event is shown: its title, and how soon it is left out where the
/// width does not do.
const fn shown(event: Event) -> (&'static str, u8) {
    match event {
        Event::Counter(Counter::Instructions) => ("instructions", LUXURY + 2),
        Event::Counter(Counter::Cycles) => ("cycles", LUXURY + 4),
        Event::Counter(Counter::ReferenceCycles) => ("ref. cycles", LUXURY + 8),
        Event::Counter(Counter::CacheMisses) => ("cache misses", LUXURY + 5),
        Event::Wakeups => ("wakeups", LUXURY + 3),
        Event::Migrations => ("migrations", LUXURY + 6),
        Event::Switches => ("switches", LUXURY + 4),
        Event::SmtShared => ("SMT-shared", LUXURY + 7),
    }
}

/// The columns of rows that count `events`.
pub(super) fn columns(events: &[Event]) -> Vec<SignalColumn> {
    let counts = |counter| events.contains(&Event::Counter(counter));
    let per_cycle = counts(Counter::Instructions) && counts(Counter::Cycles);
    let mut columns: Vec<SignalColumn> = events
        .iter()
        .map(|&event| {
            let (title, spare) = shown(event);
            SignalColumn::Number(event, title, spare)
        })
        .collect();
    columns.extend(per_cycle.then_some(SignalColumn::PerCycle));
    // Those that stay longest stand first.
    columns.sort_by_key(SignalColumn::spare);
    columns
}

impl SignalColumn {
    fn spare(&self) -> u8 {
        match self {
            Self::Number(_, _, spare) => *spare,
            Self::PerCycle => LUXURY + 2,
        }
    }

    pub(super) fn column(&self) -> Column {
        let title = match self {
            Self::Number(_, title, _) => title,
            Self::PerCycle => "IPC",
        };
        Column::number(title).spare(self.spare())
    }

    pub(super) fn cell(&self, events: &Events) -> String {
        match self {
            Self::Number(event, ..) => value(*event, events[*event]),
            Self::PerCycle => per_cycle(events[Counter::Instructions], events[Counter::Cycles]),
        }
    }
}
