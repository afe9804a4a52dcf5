//! Threads of the target whose stacks are no longer sampled.
//!
//! The timers belong to the target's cgroup, so that nobody else is interrupted.
//! A process that is moved to another cgroup (`systemd-run --scope`, snap, flatpak, a
//! container's runtime) leaves them behind; one that executes a set-user-id program
//! loses those that it has of its own. The accounts still see both: whoever uses the CPU
//! and is never sampled is looked at, and gets timers of its own.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;

use crate::caveat::Caveat;
use crate::error::Result;
use crate::measurement::{Task, TaskId, ThreadAccount};
use crate::unit::{Nanos, Timestamp};

/// So many periods of the timer without a sample are no chance.
const PERIODS: u64 = 20;

/// Where there is no cgroup that could be compared.
const PERIODS_WITHOUT_CGROUP: u64 = 50;

/// Most threads that get timers of their own: each takes a descriptor.
const MOST: usize = 2048;

/// Who is sampled, and who is followed.
#[derive(Debug, Default)]
pub(super) struct Strays {
    /// CPU time without a sample that is suspicious; zero where nothing is sampled.
    suspicious: Nanos,
    /// The target's cgroup, as `/proc/PID/cgroup` names it.
    home: Option<String>,
    /// Those that were sampled since the last boundary.
    sampled: HashSet<TaskId>,
    /// CPU time since the last sample.
    unsampled: HashMap<TaskId, Nanos>,
    /// Those that have timers of their own, and since when. Their children inherit
    /// them.
    followed: HashMap<TaskId, Timestamp>,
    processes: BTreeSet<u32>,
    /// CPU time that was not sampled before they had.
    missed: Nanos,
    /// Where they went.
    places: BTreeSet<String>,
    /// Why one is not followed.
    refused: Option<String>,
}

impl Strays {
    /// Of a target whose first process is `root`, in a cgroup of its own or not,
    /// sampled at this frequency.
    pub(super) fn new(root: u32, in_cgroup: bool, frequency_hz: u32) -> Self {
        let home = in_cgroup.then(|| cgroup_of(root)).flatten();
        let periods = match home {
            Some(_) => PERIODS,
            None => PERIODS_WITHOUT_CGROUP,
        };
        Self {
            suspicious: match frequency_hz {
                0 => Nanos::ZERO,
                hertz => Nanos(periods * 1_000_000_000 / u64::from(hertz)),
            },
            home,
            ..Self::default()
        }
    }

    /// A sample of `task` was taken.
    pub(super) fn sampled(&mut self, task: TaskId) {
        self.sampled.insert(task);
    }

    /// An interval has ended: who is to be looked at.
    pub(super) fn suspects(&mut self, threads: &[ThreadAccount]) -> Vec<TaskId> {
        let sampled = std::mem::take(&mut self.sampled);
        if self.suspicious == Nanos::ZERO {
            return Vec::new();
        }
        let mut suspects = Vec::new();
        for account in threads {
            let task = account.task;
            if sampled.contains(&task) {
                self.unsampled.remove(&task);
                continue;
            }
            let unsampled = self.unsampled.entry(task).or_default();
            *unsampled += account.signals.on_cpu;
            if *unsampled >= self.suspicious && !suspects.contains(&task) {
                suspects.push(task);
            }
        }
        suspects
    }

    /// A suspect was looked at, and will be again when it has been without a sample for
    /// as long once more. Gives the CPU time until now.
    pub(super) fn looked_at(&mut self, task: TaskId) -> Nanos {
        self.unsampled.insert(task, Nanos::ZERO).unwrap_or_default()
    }

    /// Whether a task has timers of its own, or inherited some.
    pub(super) fn is_followed(&self, task: &Task, tasks: &[Task]) -> bool {
        if self.followed.contains_key(&task.id) {
            return true;
        }
        let (mut began, mut parent) = (task.began, task.parent);
        while let Some(of) = parent.and_then(|id| tasks.get(id.0 as usize)) {
            if self
                .followed
                .get(&of.id)
                .is_some_and(|since| *since < began)
            {
                return true;
            }
            (began, parent) = (of.began, of.parent);
        }
        false
    }

    /// Whether those of the target are told by their cgroup.
    pub(super) fn has_home(&self) -> bool {
        self.home.is_some()
    }

    /// Whether a process is not in the target's cgroup. Without a cgroup, everybody
    /// may have lost their timers.
    pub(super) fn is_away(&self, pid: u32) -> bool {
        self.away(pid).is_some()
    }

    /// Where it is then.
    fn away(&self, pid: u32) -> Option<String> {
        let place = cgroup_of(pid)?;
        match &self.home {
            None => Some(String::new()),
            Some(home) => {
                let below = place.strip_prefix(home.as_str());
                let inside = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                (!inside).then_some(place)
            }
        }
    }

    /// So much CPU time was not sampled.
    pub(super) fn missed(&mut self, time: Nanos) {
        self.missed += time;
    }

    /// Whether one more can have timers of its own.
    pub(super) fn have_room(&mut self) -> bool {
        let room = self.followed.len() < MOST;
        if !room {
            self.refused(format!("only {MOST} threads are"));
        }
        room
    }

    /// A task was to get timers of its own, with this `result`. Tells whether it got
    /// them as the first one of its process.
    pub(super) fn follow(&mut self, task: &Task, since: Timestamp, result: &Result<()>) -> bool {
        self.followed.insert(task.id, since);
        if let Err(error) = result {
            self.refused(error);
            return false;
        }
        if let Some(place) = self.away(task.pid).filter(|place| !place.is_empty()) {
            self.places.insert(place);
        }
        self.processes.insert(task.pid)
    }

    /// Why one is not followed; the first reason is told.
    pub(super) fn refused(&mut self, why: impl ToString) {
        self.refused.get_or_insert_with(|| why.to_string());
    }

    /// What is to be said of them.
    pub(super) fn caveat(&self) -> Option<Caveat> {
        if self.processes.is_empty() && self.refused.is_none() {
            return None;
        }
        let number = self.processes.len().max(1);
        let who = match number {
            1 => "a process of the target".to_owned(),
            more => format!("{more} processes of the target"),
        };
        let did = match (&self.home, self.places.first()) {
            (Some(_), Some(place)) => format!("went over to another cgroup ({place})"),
            (Some(_), None) => "went over to another cgroup".to_owned(),
            (None, _) => "lost the timers, as a set-user-id program does".to_owned(),
        };
        let missed = format!("{:.0} ms", self.missed.seconds() * 1e3);
        let then = match &self.refused {
            None => format!("sampled by process since; {missed} of CPU time before that are"),
            Some(why) => {
                format!("not all sampled since ({why}); at least {missed} of CPU time are")
            }
        };
        Some(Caveat::new(
            "left-cgroup",
            format!("{who} {did}: {then} without stacks, but accounted"),
        ))
    }
}

/// The cgroup (of version 2) of a process.
fn cgroup_of(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(path.to_owned())
}
