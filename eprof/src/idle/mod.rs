//! The power of the machine when nothing runs: where it is known from, and how
//! it is found.

pub mod find;
pub mod known;
pub mod watch;

pub use known::KnownIdle;
