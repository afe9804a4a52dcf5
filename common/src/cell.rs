//! What one thread, or one class of tasks on one CPU, did during one interval.

/// How many hardware counters are read per slice: cycles, reference cycles,
/// instructions, last-level cache misses, in this order.
pub const COUNTERS: usize = 4;

/// Place in [`Cell::amounts`] of the nanoseconds in which the CPU's SMT
/// sibling was busy, too.
pub const SMT_SHARED: usize = 0;
/// Place in [`Cell::amounts`] of the first hardware counter; the others follow.
pub const FIRST_COUNTER: usize = 1;
/// How many amounts there are.
pub const AMOUNTS: usize = FIRST_COUNTER + COUNTERS;

/// Place in [`Cell::occurrences`] of how often the thread was switched out.
pub const SWITCHES: usize = 0;
/// Place in [`Cell::occurrences`] of how often that was because it went to
/// sleep.
pub const WAKEUPS: usize = 1;
/// Place in [`Cell::occurrences`] of how often it came from another CPU.
pub const MIGRATIONS: usize = 2;
/// How many occurrences there are.
pub const OCCURRENCES: usize = 3;

/// How many occurrences a cell has room for.
const ROOM: usize = 4;

/// A cell of the map `CELLS`, at index `(slot × groups + group) × 2 + parity`
/// of the interval, and of [`crate::CpuCell`].
///
/// It has one writer at a time, because a thread runs on one CPU at a time;
/// user space reads and zeroes it only while its parity is not current. It
/// fills one cache line, so that a switch touches no second one.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Nanoseconds on a CPU.
    pub ns: u64,
    /// What grows within a slice; zero for counters that are not in use.
    pub amounts: [u64; AMOUNTS],
    /// What happens at the end of a slice, how often.
    pub occurrences: [u32; OCCURRENCES],
    /// Always zero.
    pub zero: [u32; ROOM - OCCURRENCES],
}

const _: () = assert!(size_of::<Cell>() == 64 && align_of::<Cell>() == 64);
