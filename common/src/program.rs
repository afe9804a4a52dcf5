//! The kernel programs, numbered for counting their runs.

/// How many programs a [`crate::CpuState`] has room for.
pub const PROGRAMS: usize = 8;

/// One of the hooks. Its two forms (with and without BTF) share a number, for
/// only one of them is ever attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program(pub u32);

impl Program {
    /// `sched_switch`: closes a slice.
    pub const SWITCH: Self = Self(0);
    /// Run on demand: closes a slice that is still going on.
    pub const FLUSH: Self = Self(1);
    /// The timer: takes a stack sample.
    pub const SAMPLE: Self = Self(2);
    /// `task_newtask`: a thread is created.
    pub const CREATED: Self = Self(3);
    /// `sched_process_exec`: a new task instance.
    pub const EXEC: Self = Self(4);
    /// `sched_process_exit`: a thread begins to end.
    pub const EXIT: Self = Self(5);
    /// `sched_process_free`: a thread will never run again.
    pub const FREE: Self = Self(6);
    /// `task_rename`: a thread's name changes.
    pub const RENAME: Self = Self(7);

    /// All programs, with their names in reports.
    pub const ALL: [(Self, &'static str); PROGRAMS] = [
        (Self::SWITCH, "switch"),
        (Self::FLUSH, "flush"),
        (Self::SAMPLE, "sample"),
        (Self::CREATED, "created"),
        (Self::EXEC, "exec"),
        (Self::EXIT, "exit"),
        (Self::FREE, "free"),
        (Self::RENAME, "rename"),
    ];
}
