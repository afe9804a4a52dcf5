//! What makes a thread one of the target.

/// What the kernel keeps with every thread of the target: in its task
/// storage, or, without BTF, in a hash by thread id.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskState {
    /// The serial number of the current task instance; zero where it has no
    /// slot.
    pub serial: u64,
    /// Its slot, or [`TaskState::NO_SLOT`].
    pub slot: u32,
    /// The CPU on which the thread ran last, plus one; zero before.
    pub cpu: u32,
}

impl TaskState {
    /// The value of `slot` when all slots were in use. Such a thread is still
    /// one of the target: its time is in the CPU's account.
    pub const NO_SLOT: u32 = u32::MAX;
}

const _: () = assert!(size_of::<TaskState>() == 16 && align_of::<TaskState>() == 8);
