//! The results of repeated runs: a table for people, `eprof-stat/1` for programs.

mod json;
mod table;

pub use json::{SCHEMA, VERSION, json};
pub use table::table;
