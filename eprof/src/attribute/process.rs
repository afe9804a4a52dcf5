//! Which process a thread belongs to.

use std::collections::BTreeMap;

use crate::measurement::{CpuAccount, Signals, Task, TaskId, ThreadAccount};
use crate::unit::Timestamp;

/// Stands for the threads that have no identity, because there were too many
/// at once to follow each. Not a position in the recording's list.
pub const UNNAMED: TaskId = TaskId(u32::MAX);

#[derive(Clone, Copy, Debug)]
struct Member {
    pid: u32,
    leads: bool,
    began: Timestamp,
    before_exec: bool,
}

/// The processes of the target, each named by the task instance of its leader.
///
/// A thread belongs to the task instance of the leader (the thread whose tid is
/// the pid) that lived when the thread began: the latest that began before it.
/// So neither a reused PID nor an exec merges two processes, and a thread that
/// began after an exec belongs to the new program.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    members: BTreeMap<TaskId, Member>,
    /// By pid: when the leaders began, and their ids.
    leaders: BTreeMap<(u32, Timestamp), TaskId>,
    /// By pid: the thread that stands in for a leader that was not seen.
    orphans: BTreeMap<u32, TaskId>,
}

impl Processes {
    /// The processes of all of `tasks`.
    pub fn of<'a>(tasks: impl IntoIterator<Item = &'a Task>) -> Self {
        let mut processes = Self::default();
        for task in tasks {
            processes.add(task);
        }
        processes
    }

    /// Takes note of a thread.
    pub fn add(&mut self, task: &Task) {
        let leads = task.tid == task.pid;
        self.members.insert(
            task.id,
            Member {
                pid: task.pid,
                leads,
                began: task.began,
                before_exec: task.parent.is_none() && task.generation == 0,
            },
        );
        if leads {
            self.leaders.insert((task.pid, task.began), task.id);
        } else {
            let first = self.orphans.entry(task.pid).or_insert(task.id);
            *first = task.id.min(*first);
        }
    }

    /// The leader of the process of `task`. Where no leader was seen, the
    /// process's first thread stands in for it.
    pub fn leader(&self, task: TaskId) -> TaskId {
        let Some(member) = self.members.get(&task) else {
            return task;
        };
        if member.leads {
            return task;
        }
        let mut before = self
            .leaders
            .range((member.pid, Timestamp(0))..=(member.pid, member.began));
        match before.next_back() {
            Some((_, &leader)) => leader,
            None => self.orphans.get(&member.pid).copied().unwrap_or(task),
        }
    }

    /// Whether `task` is eprof's own child before it became the command: the
    /// root of the target, before its first exec. Its time is eprof's.
    pub fn is_before_exec(&self, task: TaskId) -> bool {
        let member = self.members.get(&task);
        member.is_some_and(|member| member.before_exec)
    }

    /// What the target did: all of its work on `cpus`, without that of eprof's
    /// child before its exec, which is among `threads`.
    pub fn of_target(&self, cpus: &[CpuAccount], threads: &[ThreadAccount]) -> Signals {
        let mut target = Signals::default();
        for account in cpus {
            target += account.target;
        }
        for account in threads {
            if self.is_before_exec(account.task) {
                target -= account.signals;
            }
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: u32, tid: u32, pid: u32, began: u64, generation: u32) -> Task {
        Task {
            id: TaskId(id),
            tid,
            pid,
            start: Timestamp(began),
            began: Timestamp(began),
            generation,
            parent: id.checked_sub(1).map(TaskId),
            comm: String::new(),
        }
    }

    #[test]
    fn a_thread_belongs_to_the_leader_that_lived_when_it_began() {
        // The thread of id 3 is found before its leader's second instance.
        let processes = Processes::of(&[
            task(0, 10, 10, 0, 0),
            task(1, 11, 10, 5, 0),
            task(3, 12, 10, 25, 0),
            task(2, 10, 10, 20, 1),
            task(4, 10, 10, 90, 0),
        ]);
        assert_eq!(processes.leader(TaskId(1)), TaskId(0));
        assert_eq!(processes.leader(TaskId(3)), TaskId(2));
        assert_eq!(processes.leader(TaskId(4)), TaskId(4));
    }

    #[test]
    fn threads_without_a_leader_stay_together() {
        let processes = Processes::of(&[task(1, 11, 10, 5, 0), task(2, 12, 10, 6, 0)]);
        assert_eq!(processes.leader(TaskId(1)), TaskId(1));
        assert_eq!(processes.leader(TaskId(2)), TaskId(1));
    }

    #[test]
    fn only_the_root_before_its_exec_is_eprof() {
        let processes = Processes::of(&[task(0, 10, 10, 0, 0), task(1, 10, 10, 20, 1)]);
        assert!(processes.is_before_exec(TaskId(0)));
        assert!(!processes.is_before_exec(TaskId(1)));
        assert!(!processes.is_before_exec(UNNAMED));
    }
}
