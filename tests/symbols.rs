//! Mappings, addresses and names of real programs. The programs print the
//! addresses of their own functions: that is the truth to be found again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a failed assumption is a failed test"
)]

#[path = "symbols/debug_files.rs"]
mod debug_files;
#[path = "symbols/generated.rs"]
mod generated;
#[path = "symbols/go.rs"]
mod go;
#[path = "symbols/hostile.rs"]
mod hostile;
#[path = "symbols/identity.rs"]
mod identity;
#[path = "symbols/kernel.rs"]
mod kernel;
#[path = "symbols/mappings.rs"]
mod mappings;
#[path = "symbols/programs.rs"]
mod programs;
#[path = "symbols/run.rs"]
mod run;
#[path = "symbols/runtimes.rs"]
mod runtimes;
#[path = "symbols/sampled.rs"]
mod sampled;
#[path = "symbols/servers.rs"]
mod servers;
#[path = "support/skip.rs"]
mod skip;
#[path = "symbols/target.rs"]
mod target;
