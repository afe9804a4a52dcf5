//! What one thread did in one zone during one interval.

/// A cell of the map `CELLS`, at index `(slot × zones + zone) × 2 + parity`
/// of the interval.
///
/// It has one writer at a time, because a thread runs on one CPU at a time;
/// user space reads and zeroes it only while its parity is not current.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Nanoseconds on a CPU.
    pub ns: u64,
    /// Cycles on a CPU; zero without a cycle counter.
    pub cycles: u64,
    /// How often the thread was switched out.
    pub switches: u64,
}

const _: () = assert!(size_of::<Cell>() == 24 && align_of::<Cell>() == 8);
