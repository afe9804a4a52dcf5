//! Whom a picture names: the threads, processes or commands that took most.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::attribute::Attributed;
use crate::measurement::TaskId;
use crate::recording::Catalog;
use crate::unit::{Microjoules, Timestamp};

use super::people::People;

/// What consumers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Group {
    /// Threads.
    Thread,
    /// Processes.
    Process,
    /// All processes of a name.
    Command,
}

/// With more processes than this, their names say more.
const FEW: usize = 12;

impl Group {
    /// Threads where there is one process, processes where there are few, else
    /// their names.
    pub(super) fn fitting(catalog: &Catalog, attributed: &Attributed) -> Self {
        let people = People::of(catalog);
        match attributed.processes.len() {
            0 | 1 => Self::Thread,
            2..=FEW => Self::Process,
            many => {
                let charges = attributed.processes.iter();
                let mut names: Vec<&str> = charges.map(|of| people.comm(of.leader)).collect();
                names.sort_unstable();
                names.dedup();
                if names.len() < many {
                    Self::Command
                } else {
                    Self::Process
                }
            }
        }
    }

    /// What many of them are called.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Thread => "threads",
            Self::Process => "processes",
            Self::Command => "commands",
        }
    }
}

/// One of the largest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its last name, as it called itself.
    pub comm: String,
    /// Its process or thread id; `None` for a command.
    pub id: Option<u32>,
    /// How many processes a command has; else 1.
    pub members: u64,
    /// Energy with its share of idle, over all disjoint meters.
    pub energy: Microjoules,
    /// 90 % half width (of a command: an upper bound).
    pub ci90: Microjoules,
    /// When the first of it began.
    pub began: Option<Timestamp>,
    /// Whether it began by an exec, not by a fork.
    pub by_exec: bool,
    /// When the last of it ended; `None` where that was not seen.
    pub gone: Option<Timestamp>,
}

/// Who is whose.
pub(super) struct Grouped {
    /// Most energy first.
    pub(super) largest: Vec<Consumer>,
    /// Where in `largest` a thread's consumer is.
    pub(super) of_task: HashMap<TaskId, usize>,
    /// How many are not, and their energy in microjoules.
    pub(super) others: (usize, u64),
}

/// What makes a consumer: a name, or who leads it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Task(TaskId),
    Name(String),
}

impl Key {
    /// Of the consumer of a task.
    fn of(people: &People<'_>, task: TaskId, group: Group) -> Self {
        match group {
            Group::Thread => Self::Task(task),
            Group::Process => Self::Task(people.leader(task)),
            Group::Command => Self::Name(people.comm(people.leader(task)).to_owned()),
        }
    }
}

/// The `most` largest consumers with any energy.
pub(super) fn consumers(
    catalog: &Catalog,
    attributed: &Attributed,
    group: Group,
    most: usize,
) -> Grouped {
    let people = People::of(catalog);
    let mut found: BTreeMap<Key, Consumer> = BTreeMap::new();
    let mut add = |of: TaskId, energy: Microjoules, ci90: Microjoules| {
        let task = people.task(of);
        let gone = catalog.gone.get(of.0 as usize).copied().flatten();
        let began = task.map(|task| task.began);
        let one = found.entry(Key::of(&people, of, group));
        let one = one.or_insert_with(|| Consumer {
            comm: people.comm(of).to_owned(),
            id: match group {
                Group::Thread => task.map(|task| task.tid),
                Group::Process => task.map(|task| task.pid),
                Group::Command => None,
            },
            members: 0,
            energy: Microjoules::ZERO,
            ci90: Microjoules::ZERO,
            began,
            by_exec: task.is_some_and(|task| task.generation > 0),
            gone,
        });
        if began < one.began {
            one.began = began;
            one.by_exec = task.is_some_and(|task| task.generation > 0);
        }
        // As long as one has no end, there is none.
        one.gone = one.gone.zip(gone).map(|(a, b)| a.max(b));
        one.members += 1;
        one.energy += energy;
        // As in the report by command: the plain sum is an upper bound.
        one.ci90 += ci90;
    };
    match group {
        Group::Thread => {
            for of in &attributed.threads {
                add(of.task, of.energy.with_idle, of.width.total());
            }
        }
        Group::Process | Group::Command => {
            for of in &attributed.processes {
                add(of.leader, of.energy.with_idle, of.width.total());
            }
        }
    }
    let mut order: Vec<(Key, Consumer)> = found.into_iter().collect();
    order.retain(|(_, of)| of.energy.0 > 0);
    // Stable: ties stay in the order of their keys.
    order.sort_by_key(|(_, of)| Reverse(of.energy));
    let others = order.get(most..).unwrap_or_default();
    let others = (others.len(), others.iter().map(|(_, of)| of.energy.0).sum());
    order.truncate(most);
    let place: BTreeMap<&Key, usize> = order.iter().map(|(key, _)| key).zip(0..).collect();
    let threads = attributed.threads.iter();
    let of_task = threads
        .filter_map(|of| Some((of.task, *place.get(&Key::of(&people, of.task, group))?)))
        .collect();
    Grouped {
        largest: order.into_iter().map(|(_, of)| of).collect(),
        of_task,
        others,
    }
}
