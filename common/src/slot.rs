//! The description of one task instance: a thread from fork or exec to exit or the
//! next exec.

/// How many slots there are, unless the number of CPU groups forces fewer. A power of
/// two.
pub const MAX_SLOTS: u32 = 65_536;

/// The value of an entry of the ring `FREE` that holds no slot.
pub const EMPTY: u64 = u64::MAX;

/// An entry of the map `SLOTS`: a thread from fork or exec to exit or the
/// next exec. The kernel programs write it; user space writes `space`, too. `serial` is
/// stored last, so that whoever sees the expected serial sees the rest.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The ticket that took the slot, plus one: unique, and rising with time.
    pub serial: u64,
    /// The serial of the task instance that forked or exec'ed into this one;
    /// zero for the root of the target.
    pub parent: u64,
    /// When the thread was forked; `CLOCK_MONOTONIC` nanoseconds, as all
    /// times here.
    pub started: u64,
    /// When this task instance was created.
    pub created: u64,
    /// When it ended or exec'ed; zero before. A thread that ends still runs
    /// for a while.
    pub gone: u64,
    /// When it was certain never to run again; zero before.
    pub freed: u64,
    /// When `comm` last changed; zero if it never did.
    pub renamed: u64,
    /// Thread id, in eprof's PID namespace (without BTF, in the initial one).
    pub tid: u32,
    /// Thread group id, likewise.
    pub tgid: u32,
    /// How many execs the thread has behind it.
    pub generation: u32,
    /// Counts the changes of `comm`, twice each: odd while it is changing.
    pub version: u32,
    /// The thread's name, up to the first zero byte.
    pub comm: [u8; 16],
    /// The name before the last change.
    pub previous: [u8; 16],
    /// What is mapped in the process, a [`crate::Space`]: inherited by fork,
    /// none after exec, and stored by user space when it knows more.
    pub space: u64,
}

const _: () = assert!(size_of::<Slot>() == 128);
const _: () = assert!(core::mem::offset_of!(Slot, comm) % 8 == 0);
