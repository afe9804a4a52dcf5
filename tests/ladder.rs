//! `eprof calibrate` with a fake meter whose law is known. By itself, so that no
//! other test keeps the machine busy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "calibrate/ladder.rs"]
mod ladder;
#[path = "support/powercap.rs"]
mod powercap;
#[path = "calibrate/run.rs"]
mod run;
mod support;

use run::{calibrate, json, stderr};
