//! What repeated runs say: a table for people, `eprof-stat/1` for programs.

mod json;
mod table;

pub use json::{VERSION, json};
pub use table::table;
