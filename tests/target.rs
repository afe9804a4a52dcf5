//! Running the target for real: cgroups, users, signals, files, exit codes. In a
//! process of its own, for a test changes its limits meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "target/bench.rs"]
mod bench;
#[path = "target/cgroups.rs"]
mod cgroups;
#[path = "target/driver.rs"]
mod driver;
#[path = "target/files.rs"]
mod files;
#[path = "target/mounts.rs"]
mod mounts;
#[path = "support/skip.rs"]
mod skip;
#[path = "target/spawning.rs"]
mod spawning;
#[path = "target/stopping.rs"]
mod stopping;
#[path = "target/surroundings.rs"]
mod surroundings;
#[path = "target/users.rs"]
mod users;
#[path = "target/waiting.rs"]
mod waiting;
