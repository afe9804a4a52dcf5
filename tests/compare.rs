//! `eprof diff`: what it calls changed, what it does not, what fails a job.
//! Recordings are simulated (`compare/machine.rs`), so that the truth is known.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "compare/ci.rs"]
mod ci;
#[path = "compare/command.rs"]
mod command;
#[path = "conservation/dice.rs"]
mod dice;
#[path = "compare/laws.rs"]
mod laws;
#[path = "compare/machine.rs"]
mod machine;
#[path = "compare/pictures.rs"]
mod pictures;
#[path = "compare/tries.rs"]
mod tries;
