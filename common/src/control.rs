//! What user space tells all kernel programs.

/// The single entry of the map `CONTROL`.
///
/// # The boundary of two intervals
///
/// User space stores `boundary[id & 1]`, then `epoch = id`, through the mapped
/// memory, once interval `id - 2` has been collected. A program reads its clock,
/// then `epoch`, then `boundary[epoch & 1]`: time before that is of interval
/// `epoch - 1`, time after it of `epoch`. Old or new, what it sees says the same
/// if the boundary is stored before it passes, be it long before. Until then it
/// may be replaced by an earlier one, if that has not passed either.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// The number of the current interval.
    pub epoch: u64,
    /// When interval `id` began, at `[id & 1]`; `CLOCK_MONOTONIC` nanoseconds.
    pub boundary: [u64; 2],
    /// The thread group of eprof, in the initial PID namespace.
    pub eprof_tgid: u32,
    /// The thread that ran the program `introduce` last, likewise.
    pub caller_tid: u32,
    /// The thread of eprof whose next child is the root of the target; zero
    /// for none.
    pub adopt: u32,
    /// How deep eprof's own PID namespace lies below the initial one.
    pub pid_level: u32,
    /// Always zero.
    pub zero: [u32; 6],
    /// How many slots were asked for so far; written by the kernel programs.
    /// Ticket `n` takes the slot found at `FREE[n mod slots]`.
    pub ticket: u64,
    /// Keeps the ticket on a cache line of its own.
    pub rest: [u64; 7],
}

const _: () = assert!(size_of::<Control>() == 128);
const _: () = assert!(core::mem::offset_of!(Control, ticket) == 64);
