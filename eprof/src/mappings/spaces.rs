//! The address spaces of all processes of the target, kept in step with the
//! events of the kernel.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::space::{AddressSpace, Location};
use crate::kernel::Mapping;
use crate::measurement::{ObjectId, Task, TaskId};

/// After how many calls of [`Spaces::forget_ended`] a process without threads is
/// forgotten: its last samples may come one batch after its end.
const GRACE: u32 = 2;

/// The same for a process of which no thread was ever reported.
const GRACE_UNKNOWN: u32 = 100;

/// One address space per living process.
///
/// Events are to be applied in order of time (see
/// [`in_order`](crate::kernel::in_order)).
#[derive(Debug, Default)]
pub struct Spaces {
    processes: HashMap<u32, Process>,
    /// The process of each task that lives, or ended a short while ago.
    tasks: HashMap<TaskId, u32>,
    /// Tasks that ended since the last batch of events, and in the one before.
    ended: [Vec<TaskId>; 2],
    /// Processes that have other mappings or threads than before.
    changed: HashSet<u32>,
}

#[derive(Debug, Default)]
struct Process {
    space: AddressSpace,
    /// Its leader, or the first thread that was seen: as a task instance.
    leader: Option<TaskId>,
    /// How many threads live.
    threads: u32,
    /// They, and those that ended a short while ago.
    tasks: BTreeSet<TaskId>,
    /// Whether a thread was reported; a mapping may come first.
    known: bool,
    /// Whether the process exec'ed, so that it has nothing of its parent's.
    image: bool,
    /// Batches of events since the last thread ended.
    idle: u32,
}

impl Spaces {
    /// A thread was created, or exec'ed.
    ///
    /// A new process starts with a copy of its parent's address space. An exec
    /// changes nothing here: its mappings came before (see
    /// [`Mapping::fresh`]).
    pub fn created(&mut self, task: &Task) {
        let parent = task.parent.and_then(|parent| self.tasks.get(&parent));
        let forked = task.generation == 0 && task.tid == task.pid && parent != Some(&task.pid);
        if forked {
            let inherited = parent
                .and_then(|pid| self.processes.get(pid))
                .map(|process| process.space.clone())
                .unwrap_or_default();
            let process = self.processes.entry(task.pid).or_default();
            if process.known {
                // The process id is in use again.
                *process = Process::default();
            }
            if !process.image {
                let own = std::mem::replace(&mut process.space, inherited);
                process.space.overlay(&own);
            }
        }
        let process = self.processes.entry(task.pid).or_default();
        if task.tid == task.pid || process.leader.is_none() {
            process.leader = Some(task.id);
        }
        process.known = true;
        process.threads += 1;
        process.idle = 0;
        process.tasks.insert(task.id);
        self.tasks.insert(task.id, task.pid);
        self.changed.insert(task.pid);
    }

    /// Code was mapped; `object` is `None` for memory without a file.
    pub fn mapped(&mut self, mapping: &Mapping, object: Option<ObjectId>) {
        let process = self.processes.entry(mapping.pid).or_default();
        if mapping.fresh {
            process.space = AddressSpace::default();
            process.image = true;
        }
        process
            .space
            .map(mapping.start, mapping.end, mapping.offset, object);
        self.changed.insert(mapping.pid);
    }

    /// A thread ended, or exec'ed: its next task instance began.
    pub fn gone(&mut self, task: TaskId) {
        if let Some(process) = self
            .tasks
            .get(&task)
            .and_then(|pid| self.processes.get_mut(pid))
        {
            process.threads = process.threads.saturating_sub(1);
            self.ended[0].push(task);
        }
    }

    /// Forgets what ended a while ago. To be called after each batch of
    /// events.
    pub fn forget_ended(&mut self) {
        for task in self.ended[1].drain(..) {
            let process = self.tasks.remove(&task);
            if let Some(process) = process.and_then(|pid| self.processes.get_mut(&pid)) {
                process.tasks.remove(&task);
            }
        }
        self.ended.swap(0, 1);
        self.processes.retain(|_, process| {
            if process.threads > 0 {
                return true;
            }
            process.idle += 1;
            process.idle <= if process.known { GRACE } else { GRACE_UNKNOWN }
        });
    }

    /// The processes that have other mappings or threads than at the last
    /// call.
    pub(crate) fn changed(&mut self) -> HashSet<u32> {
        std::mem::take(&mut self.changed)
    }

    /// The address space of a process, and its threads.
    pub(crate) fn process(&self, pid: u32) -> Option<(&AddressSpace, &BTreeSet<TaskId>)> {
        let process = self.processes.get(&pid)?;
        Some((&process.space, &process.tasks))
    }

    /// The address space of `task`'s process; `None` where nothing is known
    /// of it.
    pub fn of(&self, task: TaskId) -> Option<&AddressSpace> {
        let process = self.processes.get(self.tasks.get(&task)?)?;
        (!process.space.is_empty()).then_some(&process.space)
    }

    /// The leader of the process of `task`.
    pub fn leader(&self, task: TaskId) -> Option<TaskId> {
        self.processes.get(self.tasks.get(&task)?)?.leader
    }

    /// The leader of the process that has the id `pid` now.
    pub fn leader_of(&self, pid: u32) -> Option<TaskId> {
        self.processes.get(&pid)?.leader
    }

    /// What lies at `address` for `task`.
    pub fn locate(&self, task: TaskId, address: u64) -> Location {
        self.of(task)
            .map_or(Location::Unmapped, |space| space.locate(address))
    }
}

#[cfg(test)]
#[path = "spaces_tests.rs"]
mod tests;
