//! The rules of a recording: what makes a sequence of records one.
//!
//! The writer and the reader apply the same rules, so that nothing is written
//! that could not be read, and nothing downstream has to doubt an id.

mod checker;
mod end;
mod header;
mod interval;

pub use checker::*;
