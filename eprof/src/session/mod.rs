//! A session: the time in which the target lives and is recorded.
//!
//! ```text
//!   plan ─► header ─► recorder ─ intervals ─► observer
//!                      │
//!              schedule ◄┴► reader
//! ```

mod backlog;
pub mod header;
pub mod plan;
pub mod reader;
pub mod recorder;
pub mod schedule;
mod strays;
mod usage;

pub use plan::Plan;
pub use reader::Reader;
pub use recorder::Recorder;
