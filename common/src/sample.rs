//! A stack sample on its way through the ring.

use crate::cell::COUNTERS;

/// Most frames of one stack (`kernel.perf_event_max_stack` by default).
pub const MAX_FRAMES: usize = 127;

/// The head of a record in the ring `SAMPLES`; `kernel_bytes` of kernel
/// addresses follow, then `user_bytes` of user addresses, leaf first, eight
/// bytes each.
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
    /// Always zero.
    pub zero: u32,
    /// Nanoseconds since the last sample in this slice, or since it began.
    pub spent: u64,
    /// Events per counter since then.
    pub counts: [u64; COUNTERS],
}

const _: () = assert!(size_of::<SampleHeader>() == 80 && align_of::<SampleHeader>() == 8);
