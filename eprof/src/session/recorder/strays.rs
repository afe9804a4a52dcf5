//! Threads of the target whose stacks are no longer sampled.
//!
//! The timers belong to the target's cgroup, so that nobody else is interrupted.
//! A process that is moved to another cgroup (`systemd-run --scope`, snap, flatpak, a
//! container's runtime) leaves them behind; one that executes a set-user-id program
//! loses those that it has of its own. The accounts still see both: whoever uses the CPU
//! and is never sampled is looked at, and gets timers of its own.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io::Write;

use tracing::debug;

use super::Recorder;
use crate::caveat::Caveat;
use crate::kernel::{KernelEvent, mapped};
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
    fn suspects(&mut self, threads: &[ThreadAccount]) -> Vec<TaskId> {
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

    /// Whether a task has timers of its own, or inherited some.
    fn is_followed(&self, task: &Task, tasks: &[Task]) -> bool {
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

    /// Where a process is, if that is not in the target's cgroup. Without a cgroup,
    /// everybody may have lost their timers.
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

impl<W: Write> Recorder<W> {
    /// Gives timers to those that use the CPU and are not sampled any more.
    pub(super) fn follow_strays(&mut self, threads: &[ThreadAccount]) {
        let suspects = self.strays.suspects(threads);
        let mut away = false;
        for suspect in suspects {
            let catalog = self.capture.catalog();
            let Some(task) = catalog.tasks.get(suspect.0 as usize) else {
                continue;
            };
            // Looked at again when it has been without a sample for as long once more.
            let unsampled = self.strays.unsampled.insert(suspect, Nanos::ZERO);
            if self.strays.is_followed(task, &catalog.tasks) {
                continue;
            }
            if self.strays.away(task.pid).is_some() {
                self.strays.missed += unsampled.unwrap_or_default();
                self.follow_stray(task.clone());
                away = true;
            }
        }
        if away && self.strays.home.is_some() {
            self.follow_their_kin();
        }
    }

    /// Also those that have hardly used the CPU yet: what they start inherits their
    /// timers.
    fn follow_their_kin(&mut self) {
        let catalog = self.capture.catalog();
        let live = catalog.tasks.iter().zip(&catalog.gone);
        let live = live.filter(|(_, gone)| gone.is_none());
        let mut looked_at = HashMap::new();
        let away: Vec<Task> = live
            .map(|(task, _)| task)
            .filter(|task| !self.strays.is_followed(task, &catalog.tasks))
            .filter(|task| {
                *looked_at
                    .entry(task.pid)
                    .or_insert_with(|| self.strays.away(task.pid).is_some())
            })
            .cloned()
            .collect();
        for task in away {
            self.follow_stray(task);
        }
    }

    fn follow_stray(&mut self, task: Task) {
        if self.strays.followed.len() >= MOST {
            let why = || format!("only {MOST} threads are");
            self.strays.refused.get_or_insert_with(why);
            return;
        }
        let since = crate::clock::now();
        let sampled = self.probe.sample_thread(task.tid);
        debug!(
            tid = task.tid,
            followed = sampled.is_ok(),
            "looked after a stray thread"
        );
        self.strays.followed.insert(task.id, since);
        if let Err(error) = sampled {
            self.strays.refused.get_or_insert_with(|| error.to_string());
            return;
        }
        if let Some(place) = self.strays.away(task.pid).filter(|place| !place.is_empty()) {
            self.strays.places.insert(place);
        }
        if !self.strays.processes.insert(task.pid) {
            return;
        }
        if let Some(sideband) = &mut self.sideband
            && let Err(error) = sideband.also(task.pid, self.probe.cpus())
        {
            self.strays.refused.get_or_insert_with(|| error.to_string());
        }
        // What was mapped meanwhile was told to nobody.
        for mapping in mapped(task.pid) {
            self.maps.apply(&KernelEvent::Mapped(mapping));
        }
    }
}

/// The cgroup (of version 2) of a process.
fn cgroup_of(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(path.to_owned())
}
