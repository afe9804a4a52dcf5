//! The rules of a recording: what makes a sequence of records one.
//!
//! The writer and the reader apply the same rules, so that nothing is written
//! that could not be read, and nothing downstream has to doubt an id.

mod checker;
mod coverage;
mod end;
mod header;
mod interval;
mod rules;

pub use checker::Checker;
pub(super) use coverage::Missing;
pub(super) use rules::NO_HEADER;
pub use rules::{
    MAX_ARGUMENTS, MAX_BUILD_ID, MAX_CAVEATS, MAX_COMM, MAX_CPUS, MAX_DEPTH, MAX_INLINED,
    MAX_LABELS, MAX_METERS, MAX_SEGMENTS, MAX_STRING, MAX_TIME,
};
