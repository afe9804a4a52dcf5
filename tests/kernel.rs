//! The kernel side for real, as root, against what the system itself says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a failed assumption is a failed test"
)]

#[path = "kernel/accounts.rs"]
mod accounts;
#[path = "kernel/bench.rs"]
mod bench;
#[path = "kernel/boundaries.rs"]
mod boundaries;
#[path = "kernel/limits.rs"]
mod limits;
#[path = "kernel/refused.rs"]
mod refused;
#[path = "kernel/samples.rs"]
mod samples;
#[path = "kernel/signals.rs"]
mod signals;
#[path = "support/skip.rs"]
mod skip;
#[path = "kernel/tasks.rs"]
mod tasks;
