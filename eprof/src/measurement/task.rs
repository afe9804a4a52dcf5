//! Task instances: threads between fork or exec and exit or exec.

use serde::{Deserialize, Serialize};

use crate::unit::Timestamp;

/// One task instance of a thread, in the order in which they were found.
///
/// A new task instance begins at fork and at exec, so that neither a reused PID
/// nor an exec ever merges two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u32);

/// A thread between its fork or exec and its exit or next exec.
///
/// Threads are identified by `(tid, start)`, processes by
/// `(pid, start of the leader, generation)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Position in the recording's list.
    pub id: TaskId,
    /// Thread id, as eprof (and `ps` beside it) sees it.
    pub tid: u32,
    /// Process (thread group) id, likewise.
    pub pid: u32,
    /// When the thread was forked.
    pub start: Timestamp,
    /// When this task instance began: `start`, or the time of the exec.
    pub began: Timestamp,
    /// How many execs the thread has behind it.
    pub generation: u32,
    /// The task instance that forked or exec'ed into this one; `None` for the
    /// root of the target.
    pub parent: Option<TaskId>,
    /// The thread's name when it was found.
    pub comm: String,
}
