//! Weights: why a nanosecond of one thread takes more energy than one of
//! another.
//!
//! ```text
//!   TrainingBlocks ─► choose (which rule, which coefficients) ─► resolve (how far
//!   each consumer's power differs from the rule) ─► Weigher
//! ```
//!
//! The energy of a span is always what the meter counted; weights only divide
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
