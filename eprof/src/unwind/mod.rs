//! From an interrupted thread to its callers, without frame pointers.
//!
//! ```text
//!  object ─► bytes ─► image ─► index ─► compile ─► store      (worker's thread)
//!                                                 │    ▲
//!                    kernel's maps ◄──────────────┘    │ pages, as they are met
//!  address spaces ─► layout ─► kernel's maps         walk ◄── samples with a copy
//! ```
//!
//! The sampling program walks by the same tables and the same rules
//! (`eprof_common::rule`). What it cannot walk, because a page of a table is
//! not compiled yet, it hands over as a copy of the stack. The walk through
//! that copy compiles the pages that it meets, so that only code that was ever
//! on a sampled stack costs anything.

pub(crate) mod beginnings;
pub mod bytes;
mod cfi;
pub mod compile;
mod flow;
mod guess;
mod image;
mod index;
mod layout;
mod live;
pub(crate) mod pclntab;
mod segment;
pub mod store;
pub mod table;
mod trampoline;
mod unwinder;
pub mod walk;
mod worker;

pub use unwinder::{Ticket, Unwinder, Walked, finish};
