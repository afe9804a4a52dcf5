//! The address spaces of all processes of the target, kept in step with the
//! events of the kernel.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::objects::Objects;
use super::remapped::is_same;
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

/// How often memory is looked at that was mapped in place of code of a file.
const LOOKS: u32 = 64;

/// Most such pieces of memory of one process.
const MOST_REPLACED: usize = 256;

/// Memory without a file that was mapped in place of code of one.
#[derive(Clone, Debug)]
struct Replaced {
    start: u64,
    end: u64,
    /// How often it was looked at.
    looks: u32,
}

#[derive(Debug, Default)]
struct Process {
    space: AddressSpace,
    /// Mappings of files alone, of which memory without a file replaces none.
    files: AddressSpace,
    /// What may have been moved, and is not known to have been.
    replaced: Vec<Replaced>,
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
            let (inherited, files) = parent
                .and_then(|pid| self.processes.get(pid))
                .map(|process| (process.space.clone(), process.files.clone()))
                .unwrap_or_default();
            let process = self.processes.entry(task.pid).or_default();
            if process.known {
                // The process id is in use again.
                *process = Process::default();
            }
            if !process.image {
                let own = std::mem::replace(&mut process.space, inherited);
                process.space.overlay(&own);
                let own = std::mem::replace(&mut process.files, files);
                process.files.overlay(&own);
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
            process.files = AddressSpace::default();
            process.replaced.clear();
            process.image = true;
        }
        let Mapping { start, end, .. } = *mapping;
        if object.is_some() {
            process.files.map(start, end, mapping.offset, object);
        } else if process.files.overlaps(start, end) {
            process
                .replaced
                .retain(|other| other.end <= start || end <= other.start);
            if process.replaced.len() < MOST_REPLACED {
                let looks = 0;
                process.replaced.push(Replaced { start, end, looks });
            }
        }
        process
            .space
            .map(mapping.start, mapping.end, mapping.offset, object);
        self.changed.insert(mapping.pid);
    }

    /// Finds out which memory has code of a file that lay there before: its process has
    /// moved it to huge pages. To be called after each batch of events, for it takes a
    /// while to copy it; looks become rarer.
    pub fn find_moved(&mut self, objects: &Objects) {
        for (&pid, process) in &mut self.processes {
            if process.replaced.is_empty() {
                continue;
            }
            let (space, files) = (&mut process.space, &process.files);
            let changed = &mut self.changed;
            process.replaced.retain_mut(|one| {
                one.looks += 1;
                if !one.looks.is_power_of_two() {
                    return one.looks < LOOKS;
                }
                let mut moved = Vec::new();
                for (start, end, object, offset) in files.files_in(one.start, one.end) {
                    let file = objects.open(object);
                    if file.is_none_or(|file| !is_same(pid, start, end, &file, offset)) {
                        return one.looks < LOOKS;
                    }
                    moved.push((start, end, object, offset));
                }
                for (start, end, object, offset) in moved {
                    space.map(start, end, offset, Some(object));
                }
                changed.insert(pid);
                false
            });
        }
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
