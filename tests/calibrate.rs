//! `eprof calibrate`: rows of a file. (What it measures is in
//! `ladder.rs`.)

mod csv;
mod models;

use crate::support::calibrate::{calibrate, json, stderr};
