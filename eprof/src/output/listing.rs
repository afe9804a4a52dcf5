//! Rows of one kind, in the order and number that was asked for, and what is
//! left out.

use std::cmp::Reverse;

use crate::attribute::Energy;
use crate::measurement::{Event, Events};
use crate::profile::{ProcessKey, Profile};
use crate::unit::{Microjoules, Nanos};

use crate::output::format::energy::EnergyText;
use crate::output::format::sanitize::visible;
use crate::output::view::{By, Sort};

/// What all kinds of rows have in common. What a kind does not have is `None`.
#[derive(Clone, Debug, Default)]
pub(in crate::output) struct Entry {
    /// Harmless in a terminal.
    pub(in crate::output) name: String,
    /// Its run, where there are several, likewise.
    pub(in crate::output) run: Option<String>,
    /// Object file of a function, likewise.
    pub(in crate::output) module: Option<String>,
    pub(in crate::output) pid: Option<u32>,
    pub(in crate::output) tid: Option<u32>,
    pub(in crate::output) cpu: Option<u32>,
    pub(in crate::output) threads: Option<u32>,
    /// How many processes a command has.
    pub(in crate::output) processes: Option<u64>,
    /// Its own energy.
    pub(in crate::output) energy: Energy,
    /// With callees.
    pub(in crate::output) total: Option<Energy>,
    pub(in crate::output) ci90: Option<Microjoules>,
    pub(in crate::output) on_cpu: Option<Nanos>,
    /// What was counted; of a function, by the hardware counters only.
    pub(in crate::output) events: Events,
    pub(in crate::output) samples: Option<u64>,
}

/// Which events the rows of a kind count.
pub(in crate::output) fn events(profile: &Profile, by: By) -> Vec<Event> {
    let events = profile.summary.events.iter().copied();
    match by {
        By::Process | By::Command | By::Thread => events.collect(),
        By::Function => events
            .filter(|event| matches!(event, Event::Counter(_)))
            .collect(),
        By::Module | By::Cpu => Vec::new(),
    }
}

fn run(profile: &Profile, key: ProcessKey) -> Option<String> {
    let run = profile.members.get(key.member)?;
    Some(visible(&run.name).into_owned())
}

/// The entries of a kind, in the profile's order.
fn entries(profile: &Profile, by: By) -> Vec<Entry> {
    match by {
        By::Process => profile
            .processes
            .iter()
            .map(|row| Entry {
                name: visible(&row.comm).into_owned(),
                run: run(profile, row.key),
                pid: Some(row.key.pid),
                threads: Some(row.threads),
                energy: row.energy,
                ci90: Some(row.ci90),
                on_cpu: Some(row.cpu),
                events: row.events,
                samples: Some(row.samples),
                ..Entry::default()
            })
            .collect(),
        By::Command => profile
            .commands()
            .into_iter()
            .map(|row| Entry {
                name: visible(&row.comm).into_owned(),
                processes: Some(row.processes),
                energy: row.energy,
                ci90: Some(row.ci90),
                on_cpu: Some(row.cpu),
                events: row.events,
                samples: Some(row.samples),
                ..Entry::default()
            })
            .collect(),
        By::Thread => profile
            .threads
            .iter()
            .map(|row| Entry {
                name: visible(&row.comm).into_owned(),
                run: run(profile, row.process),
                pid: Some(row.process.pid),
                tid: Some(row.tid),
                energy: row.energy,
                ci90: Some(row.ci90),
                on_cpu: Some(row.cpu),
                events: row.events,
                samples: Some(row.samples),
                ..Entry::default()
            })
            .collect(),
        By::Function => profile
            .functions
            .iter()
            .map(|row| Entry {
                name: visible(&row.key.function).into_owned(),
                module: Some(if row.key.module.is_empty() {
                    String::new()
                } else {
                    visible(&row.key.module).into_owned()
                }),
                energy: row.own,
                total: Some(row.total),
                ci90: Some(row.ci90),
                events: Events::counted(row.counts),
                samples: Some(row.samples),
                ..Entry::default()
            })
            .collect(),
        By::Module => profile
            .modules
            .iter()
            .map(|row| Entry {
                name: visible(&row.module).into_owned(),
                energy: row.own,
                ci90: Some(row.ci90),
                samples: Some(row.samples),
                ..Entry::default()
            })
            .collect(),
        By::Cpu => profile
            .cpus
            .iter()
            .map(|row| Entry {
                name: format!("cpu {}", row.cpu),
                cpu: Some(row.cpu),
                energy: row.energy,
                on_cpu: Some(row.on_cpu),
                ..Entry::default()
            })
            .collect(),
    }
}

/// The sum of the rows that are not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::output) struct Rest {
    /// How many rows.
    pub(in crate::output) rows: usize,
    /// The processes of those rows, where they are commands.
    pub(in crate::output) processes: u64,
    /// Their own energy.
    pub(in crate::output) energy: Energy,
    /// Their CPU time.
    pub(in crate::output) on_cpu: Nanos,
    /// What was counted of them.
    pub(in crate::output) events: Events,
    /// Their samples.
    pub(in crate::output) samples: u64,
}

/// Rows to be shown.
#[derive(Clone, Debug)]
pub(in crate::output) struct Listing {
    /// The rows.
    pub(in crate::output) entries: Vec<Entry>,
    /// For each of them, its position in the profile.
    pub(in crate::output) positions: Vec<usize>,
    /// What is left out; its `rows` is 0 where that is nothing.
    pub(in crate::output) rest: Rest,
}

impl Listing {
    /// The first `limit` rows (all for `None`) of a kind in an order. Rows
    /// that are equal stay in the profile's order.
    pub(in crate::output) fn new(
        profile: &Profile,
        by: By,
        sort: Option<Sort>,
        limit: Option<usize>,
    ) -> Self {
        let mut entries: Vec<(usize, Entry)> =
            entries(profile, by).into_iter().enumerate().collect();
        // Without joules, the next best answer is where the time went.
        let sort = match sort {
            Some(sort) => sort,
            None if EnergyText::of(profile).known => Sort::Energy,
            None if matches!(by, By::Function | By::Module) => Sort::Samples,
            None => Sort::Cpu,
        };
        match sort {
            Sort::Energy => entries.sort_by_key(|(_, row)| Reverse(row.energy.with_idle)),
            Sort::AboveIdle => entries.sort_by_key(|(_, row)| Reverse(row.energy.above_idle)),
            Sort::Total => {
                entries.sort_by_key(|(_, row)| Reverse(row.total.unwrap_or(row.energy).with_idle));
            }
            Sort::Cpu => entries.sort_by_key(|(_, row)| Reverse(row.on_cpu)),
            Sort::Samples => entries.sort_by_key(|(_, row)| Reverse(row.samples)),
            Sort::Name => entries.sort_by(|(_, a), (_, b)| {
                (a.cpu, &a.name, &a.module, a.pid, a.tid)
                    .cmp(&(b.cpu, &b.name, &b.module, b.pid, b.tid))
            }),
        }
        let kept = limit.unwrap_or(entries.len()).min(entries.len());
        let mut rest = Rest::default();
        for (_, row) in entries.drain(kept..) {
            rest.rows += 1;
            rest.processes += row.processes.unwrap_or_default();
            rest.energy += row.energy;
            rest.on_cpu += row.on_cpu.unwrap_or_default();
            rest.events += row.events;
            rest.samples += row.samples.unwrap_or_default();
        }
        let (positions, entries) = entries.into_iter().unzip();
        Self {
            entries,
            positions,
            rest,
        }
    }
}
