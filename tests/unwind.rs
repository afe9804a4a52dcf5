//! Unwind tables: against another reader of the same information, against each
//! other, and with files that lie.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "unwind/go.rs"]
mod go;
#[path = "unwind/hostile.rs"]
mod hostile;
#[path = "unwind/reference.rs"]
mod reference;
mod support;
#[path = "unwind/ways.rs"]
mod ways;
