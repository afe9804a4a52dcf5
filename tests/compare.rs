//! `eprof diff`: what it calls changed, what it does not, what fails a job.
//! Recordings are simulated (`compare/machine.rs`), so that the truth is known.

mod ci;
mod command;
mod laws;
mod machine;
mod pictures;
mod tries;

use crate::support::dice;
