//! What one CPU is doing, and did.

use crate::cell::{COUNTERS, Cell};
use crate::outcome::OUTCOMES;
use crate::program::PROGRAMS;

/// Index of kernel threads in [`CpuCell`].
pub const KERNEL: usize = 0;
/// Index of processes outside the target in [`CpuCell`].
pub const OTHER: usize = 1;
/// Index of eprof itself in [`CpuCell`].
pub const EPROF: usize = 2;
/// Index of the target in [`CpuCell`].
pub const TARGET: usize = 3;
/// The idle task; it has no cell, its time is the rest of the interval.
pub const IDLE: usize = 4;

/// What one CPU did during one interval, per class, see [`KERNEL`] and the
/// following. The idle time is the rest.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuCell {
    /// The classes.
    pub classes: [Cell; 4],
}

/// The entry of one CPU in the map `CPUS`; written by the kernel programs on
/// that CPU (and by user space: `group` before the hooks are attached, cells
/// of the parity that is not current).
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuState {
    /// When the current slice began, `CLOCK_MONOTONIC` nanoseconds; zero
    /// before the first hook on this CPU.
    pub start: u64,
    /// The counters at `start`.
    pub counts: [u64; COUNTERS],
    /// The counters at the last sample in the current slice, or at `start`.
    pub sampled: [u64; COUNTERS],
    /// When that was; zero before the first sample of the slice.
    pub sampled_at: u64,
    /// How long this CPU was idle, see [`crate::IdleTime`]; kept only where there
    /// are SMT siblings.
    pub idle: u64,
    /// How long the SMT sibling had been idle at `start`.
    pub sibling_idle: u64,
    /// Always zero.
    pub zero: u64,
    /// The epoch in which `flush` last closed a slice here.
    pub flushed: u64,
    /// The thread that was switched to, in the initial PID namespace; zero is
    /// the idle task.
    pub running: u32,
    /// The CPU group of this CPU.
    pub group: u32,
    /// One while a slice is being closed with interrupts enabled, so that
    /// `flush` keeps out of it.
    pub busy: u32,
    /// The other hardware thread of this core, plus one; zero for none.
    pub sibling: u32,
    /// What the CPU did, by the parity of the interval.
    pub cells: [CpuCell; 2],
    /// Runs per [`crate::Program`].
    pub runs: [u64; PROGRAMS],
    /// Losses per [`crate::Outcome`].
    pub lost: [u64; OUTCOMES],
}

const _: () = assert!(size_of::<CpuCell>() == 256);
const _: () = assert!(core::mem::offset_of!(CpuState, cells) == 128);
const _: () = assert!(size_of::<CpuState>() == 128 + 2 * 256 + 64 + 128);
