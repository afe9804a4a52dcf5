//! A stack sample on its way through the ring.

use crate::cell::COUNTERS;

/// Most frames of a kernel stack, and of a user stack that the kernel itself
/// walks (`kernel.perf_event_max_stack` by default).
pub const MAX_FRAMES: usize = 127;

/// Most frames of a user stack that is walked by unwind tables.
pub const MAX_USER_FRAMES: usize = 1024;

/// Set in a user frame that was interrupted there by a signal, so that its
/// address is no return address. (User addresses have fewer bits.)
pub const INTERRUPTED: u64 = 1 << 63;

/// Length in bytes of one piece of a copied stack. Pieces are aligned, so
/// that each can be read as a whole or not at all.
pub const PIECE: usize = 1024;

/// Most pieces.
pub const MAX_PIECES: usize = 31;

/// The head of a record in the ring `SAMPLES`. There follow, in words of eight
/// bytes:
///
/// 1. `kernel_bytes` of kernel addresses, leaf first;
/// 2. `user_bytes` of user addresses, leaf first (see [`INTERRUPTED`]);
/// 3. if `pieces` is not zero, the [`crate::Registers`] with which the walk is
///    to be continued, and so many pieces of the stack, the first of which is
///    number `skipped` from `registers.sp`, rounded down to a multiple of
///    [`PIECE`], on.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleHeader {
    /// When, `CLOCK_MONOTONIC` nanoseconds.
    pub at: u64,
    /// The serial number of the thread's incarnation; zero without a slot.
    pub serial: u64,
    /// Thread id, in the initial PID namespace.
    pub tid: u32,
    /// Thread group id, likewise.
    pub tgid: u32,
    /// The CPU.
    pub cpu: u32,
    /// Length of the kernel stack in bytes, or the negative error number.
    pub kernel_bytes: i32,
    /// Length of the user stack in bytes, or the negative error number.
    pub user_bytes: i32,
    /// How the walk of the user stack ended, a [`crate::WalkEnd`].
    pub user_end: u32,
    /// How many pieces of the stack were copied.
    pub pieces: u32,
    /// How many pieces before them do not exist yet: a function may reserve
    /// more than one page at a time.
    pub skipped: u32,
    /// Nanoseconds since the last sample in this slice, or since it began.
    pub spent: u64,
    /// Events per counter since then.
    pub counts: [u64; COUNTERS],
}

const _: () = assert!(size_of::<SampleHeader>() == 88 && align_of::<SampleHeader>() == 8);
