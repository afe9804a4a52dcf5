//! Weights: what makes a nanosecond of one thread dearer than one of another.
//!
//! ```text
//!   Survey ─► choose (which rule, with which coefficients) ─► resolve (how far
//!   each payer's power differs from the rule) ─► Weigher
//! ```
//!
//! The energy of a stretch is always what the meter said; weights only divide
//! it.

mod blocks;
mod choose;
mod design;
mod factors;
mod resolve;
mod rule;
mod weigher;

pub(super) use choose::choose;
pub(super) use weigher::Weigher;
