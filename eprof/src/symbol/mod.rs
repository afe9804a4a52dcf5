//! From addresses to functions: what was mapped where while the processes
//! lived, and the names after the run.

mod beginnings;
mod child;
mod debuginfod;
#[cfg(fuzzing)]
pub mod fuzzing;
mod generated;
mod go_names;
mod jitdump;
mod kernel_names;
mod late;
mod listed;
mod lookup;
mod named;
mod outline;
mod perf_map;
mod process_maps;
mod ranges;
mod resolve;
mod search;
pub mod stack;

pub use child::serve_if_asked;
pub use late::late;
pub use process_maps::{ProcessMaps, SampleContext};
pub use resolve::{Progress, Resolution};
pub use search::Search;
