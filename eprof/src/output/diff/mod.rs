//! Two profiles against each other: a table, JSON (`eprof-diff/1`), Markdown,
//! and a differential flamegraph.

mod cells;
pub mod flame;
pub mod json;
pub mod markdown;
mod sentence;
pub mod table;
mod view;

pub use view::{DiffFormat, DiffView};
