//! Running the target for real: cgroups, users, signals, files, exit codes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "target/bench.rs"]
mod bench;
#[path = "target/spawning.rs"]
mod spawning;
