//! How a thread of the target is known to be one.

/// What the kernel keeps with every thread of the target: in its task
/// storage, or, without BTF, in a hash by thread id.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The serial number of the current incarnation; zero where it has no
    /// slot.
    pub serial: u64,
    /// Its slot, or [`Link::NO_SLOT`].
    pub slot: u32,
    /// The CPU on which the thread ran last, plus one; zero before.
    pub cpu: u32,
}

impl Link {
    /// The value of `slot` when all slots were in use. Such a thread is still
    /// one of the target: its time is in the CPU's account.
    pub const NO_SLOT: u32 = u32::MAX;
}

const _: () = assert!(size_of::<Link>() == 16 && align_of::<Link>() == 8);
