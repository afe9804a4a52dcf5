//! `eprof calibrate`: rows of a file. (What it measures is in `ladder.rs`.)

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "calibrate/csv.rs"]
mod csv;
#[path = "calibrate/models.rs"]
mod models;
#[path = "calibrate/run.rs"]
mod run;
mod support;

use run::{calibrate, json, stderr};
