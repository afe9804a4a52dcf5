//! What comes out of the kernel, decoded: tasks, samples, mappings, and losses.

use super::stack::StackCopy;
use crate::measurement::{SampledSlice, StackEnd, Task, TaskId};
use crate::unit::Timestamp;

/// One stack sample of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The thread; `None` when it has no slot (counted as a loss).
    pub task: Option<TaskId>,
    /// When.
    pub at: Timestamp,
    /// Which CPU, and the time up to the sample.
    pub slice: SampledSlice,
    /// Kernel frames, leaf first.
    pub kernel: Vec<u64>,
    /// How the kernel stack ended.
    pub kernel_end: StackEnd,
    /// User frames, leaf first.
    pub user: Vec<u64>,
    /// The positions in `user`, apart from the first, of code that was
    /// interrupted by a signal: these are no return addresses.
    pub interrupted: Vec<usize>,
    /// How the user stack ended; of no meaning where there is a copy.
    pub user_end: StackEnd,
    /// What is yet to be walked.
    pub copy: Option<Box<StackCopy>>,
}

/// The identity of a file on its file system, as the kernel knows it.
///
/// `device` is that of the superblock, which on btrfs and overlayfs need not
/// be the one that `stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inode {
    /// Major and minor number of the device, as `libc::makedev` packs them.
    pub device: u64,
    /// Inode number.
    pub number: u64,
    /// Differs between files that had the same number one after the other;
    /// zero on some file systems.
    pub generation: u64,
}

/// An executable mapping that came into a process of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Process id.
    pub pid: u32,
    /// When.
    pub at: Timestamp,
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// Offset in the file of `start`.
    pub offset: u64,
    /// The path in the process's mount namespace, or `[vdso]`, `//anon`, ….
    pub path: String,
    /// GNU build id of the file, where the kernel could read it.
    pub build_id: Option<Vec<u8>>,
    /// The file's inode, where the kernel told it instead of a build id.
    pub inode: Option<Inode>,
    /// Whether this is the first mapping since an exec, so that everything
    /// that was mapped before is gone. A new image is mapped before the
    /// kernel reports the exec itself: [`KernelEvent::Created`] comes too late for
    /// this.
    pub fresh: bool,
}

/// What the kernel side reports between intervals, in order of time for any
/// one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelEvent {
    /// A thread was created, or exec'ed.
    Created(Task),
    /// A thread changed its name.
    Renamed {
        /// Which.
        task: TaskId,
        /// When it was noticed.
        at: Timestamp,
        /// The new name.
        comm: String,
    },
    /// A thread ended (or exec'ed: the next task instance is created already).
    Gone {
        /// Which.
        task: TaskId,
        /// When.
        at: Timestamp,
    },
    /// A stack was sampled.
    Sample(Sample),
    /// Code was mapped.
    Mapped(Mapping),
}

/// Sorts a batch of events by time. Of those at the same time, the creation of a task
/// goes before what happens to it.
pub fn in_order(events: &mut [KernelEvent]) {
    events.sort_by_key(|event| match event {
        KernelEvent::Created(task) => (task.began, 0),
        KernelEvent::Mapped(mapping) => (mapping.at, 1),
        KernelEvent::Renamed { at, .. } => (*at, 2),
        KernelEvent::Sample(sample) => (sample.at, 3),
        KernelEvent::Gone { at, .. } => (*at, 4),
    });
}
