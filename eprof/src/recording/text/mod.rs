//! A recording as text, without loss: a JSON value per line.
//! `docs/recording-format.md` describes it field by field.
//!
//! ```text
//!   eprof.data ─► Records ─► dump ─► {"task":{"id":0,…}}
//!                                          │
//!   eprof.data ◄─ Writer ◄── load ◄────────┘
//!                 (checks)
//! ```
//!
//! What is dumped and loaded and dumped again is the same text. What is loaded
//! is held to the same rules as a recording of any other origin.

mod dump;
mod line;
mod lines;
mod load;

pub use dump::{Stopped, dump};
pub use load::load;

/// What is told of a recording of several, counted from 1.
fn of_member(number: u32, sentence: &str) -> String {
    format!("recording {number}: {sentence}")
}
