//! The contract between the kernel programs and user space.
//!
//! One type per file. Every shared type is `repr(C)` with a layout that is
//! asserted at compile time; none contains a `bool`, a `usize` or an `enum`,
//! whose values or sizes one side could get wrong. Whenever a layout or the
//! meaning of a number changes, [`ABI_VERSION`] changes with it; user space
//! refuses an object of another version.
#![no_std]

pub mod cell;
pub mod control;
pub mod cpu;
pub mod idle;
pub mod outcome;
pub mod program;
pub mod rule;
pub mod sample;
pub mod slot;
pub mod table;
pub mod task_state;

pub use cell::{AMOUNTS, COUNTERS, Cell, OCCURRENCES};
pub use control::Control;
pub use cpu::{CpuCell, CpuState};
pub use idle::IdleTime;
pub use outcome::Outcome;
pub use program::Program;
pub use rule::{Registers, Rule, WalkEnd};
pub use sample::SampleHeader;
pub use slot::Slot;
pub use table::{Chunk, Page, Region, Space};
pub use task_state::TaskState;

/// The version of everything in this crate, stored in the object's
/// [`ABI_SECTION`].
pub const ABI_VERSION: u32 = 10;

/// The ELF section of the object that holds [`ABI_VERSION`] as four
/// little-endian bytes.
pub const ABI_SECTION: &str = ".eprof.abi";
