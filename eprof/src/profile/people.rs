//! Who is who: the last names of threads, and which process is whose.

use std::collections::BTreeMap;

use crate::attribute::{Processes, ThreadCharge};
use crate::measurement::{Task, TaskId};
use crate::recording::Catalog;
use crate::unit::Timestamp;

use super::marker::UNNAMED;
use super::model::ProcessKey;

/// The tasks of a recording, by name and by process.
pub(super) struct People<'a> {
    tasks: BTreeMap<TaskId, &'a Task>,
    comms: BTreeMap<TaskId, &'a str>,
    processes: Processes,
}

impl<'a> People<'a> {
    pub(super) fn of(catalog: &'a Catalog) -> Self {
        let tasks = || catalog.tasks.iter();
        let mut comms: BTreeMap<_, _> = tasks().map(|task| (task.id, task.comm.as_str())).collect();
        for rename in &catalog.renames {
            comms.insert(rename.task, rename.comm.as_str());
        }
        Self {
            tasks: tasks().map(|task| (task.id, task)).collect(),
            comms,
            processes: Processes::of(tasks()),
        }
    }

    /// A task, if it is one.
    pub(super) fn task(&self, task: TaskId) -> Option<&'a Task> {
        self.tasks.get(&task).copied()
    }

    /// The last name of a thread.
    pub(super) fn comm(&self, task: TaskId) -> &'a str {
        self.comms.get(&task).copied().unwrap_or(UNNAMED)
    }

    /// Who leads the process of a thread.
    pub(super) fn leader(&self, task: TaskId) -> TaskId {
        self.processes.leader(task)
    }

    /// The process that `leader` leads.
    pub(super) fn key(&self, leader: TaskId) -> ProcessKey {
        let nobody = ProcessKey {
            member: 0,
            pid: 0,
            start: Timestamp(0),
            generation: 0,
        };
        self.task(leader).map_or(nobody, |task| ProcessKey {
            pid: task.pid,
            start: task.start,
            generation: task.generation,
            ..nobody
        })
    }

    /// Of the process that forked or exec'ed into the one led by `leader`.
    pub(super) fn parent(&self, leader: TaskId) -> Option<ProcessKey> {
        let parent = self.task(leader)?.parent?;
        let in_target = !self.processes.is_before_exec(parent);
        in_target.then(|| self.key(self.leader(parent)))
    }

    /// What orders threads of equal energy.
    pub(super) fn identity(&self, charge: &ThreadCharge) -> (ProcessKey, u32, Timestamp, TaskId) {
        let task = self.task(charge.task);
        let (tid, start) = task.map_or((0, Timestamp(0)), |task| (task.tid, task.start));
        (self.key(charge.process), tid, start, charge.task)
    }
}
