//! Everything that can be lost in the kernel, by reason.

/// How many reasons a [`crate::CpuState`] has room for.
pub const OUTCOMES: usize = 16;

/// A reason for a loss. The numbers are part of the ABI and of recordings'
/// meaning: they are never used again for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome(pub u32);

impl Outcome {
    /// A thread got no slot, because all were in use. Its time is in the
    /// target's total, but not in any thread's account.
    pub const SLOTS_FULL: Self = Self(0);
    /// The kernel had no memory for a thread's task state. The thread counts as a
    /// process outside the target.
    pub const TASK_STATE_FAILED: Self = Self(1);
    /// A sample did not fit into the ring.
    pub const RING_FULL: Self = Self(2);
    /// A sample has no kernel stack, because the walk failed.
    pub const KERNEL_STACK_FAILED: Self = Self(3);
    /// A sample has no user stack, because the walk failed.
    pub const USER_STACK_FAILED: Self = Self(4);
    /// A sample hit a thread that is in the cgroup but not of the target.
    pub const NOT_TARGET: Self = Self(5);
    /// A counter could not be read at the end of a slice.
    pub const COUNTER_FAILED: Self = Self(6);

    /// All reasons, with their names in reports.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::SLOTS_FULL, "slots-full"),
        (Self::TASK_STATE_FAILED, "task-state-failed"),
        (Self::RING_FULL, "ring-full"),
        (Self::KERNEL_STACK_FAILED, "kernel-stack-failed"),
        (Self::USER_STACK_FAILED, "user-stack-failed"),
        (Self::NOT_TARGET, "not-target"),
        (Self::COUNTER_FAILED, "counter-failed"),
    ];
}

const _: () = assert!(Outcome::ALL.len() <= OUTCOMES);
