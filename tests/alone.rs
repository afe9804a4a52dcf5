//! Tests that measure this machine, one at a time: [`turn`] sees to that.
//!
//! ```text
//! cargo test --test alone -- kernel::accounts
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "each file is for the others of its binary; a failed assumption is a failed test"
)]

mod kernel;
mod ladder;
mod stat;
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The right to measure, for as long as it is held.
fn turn() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}
