//! What one thread, or one class of tasks on one CPU, did during one interval.

/// How many hardware counters are read per slice: cycles, reference cycles,
/// instructions, last-level cache misses, in this order.
pub const COUNTERS: usize = 4;

/// A cell of the map `CELLS`, at index `(slot × zones + zone) × 2 + parity`
/// of the interval, and of [`crate::CpuCell`].
///
/// It has one writer at a time, because a thread runs on one CPU at a time;
/// user space reads and zeroes it only while its parity is not current.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Nanoseconds on a CPU.
    pub ns: u64,
    /// Of them, nanoseconds in which the CPU's SMT sibling was busy too.
    pub crowded: u64,
    /// Events per counter; zero for those that are not in use.
    pub counts: [u64; COUNTERS],
    /// How often the thread was switched out.
    pub switches: u32,
    /// Of them, how often because it went to sleep.
    pub wakeups: u32,
    /// How often it came from another CPU.
    pub migrations: u32,
    /// Always zero.
    pub zero: u32,
}

const _: () = assert!(size_of::<Cell>() == 64 && align_of::<Cell>() == 64);
