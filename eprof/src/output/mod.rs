//! Output: bytes from a [`Profile`], and from nothing
//! else.
//!
//! Every writer takes an `impl io::Write` and is deterministic: the same
//! profile gives the same bytes. What was not measured is shown as `–` (table),
//! `null` (JSON) or an empty field (CSV), never as zero. Names of processes
//! and functions are chosen by whoever is measured; `visible` makes them
//! harmless before they reach a terminal or a picture.
//!
//! - [`table`]: the summary for people, and one breakdown at a time
//! - [`json`]: `eprof-report/1`, documented and stable
//! - [`csv`]: one breakdown, RFC 4180
//! - [`folded`]: folded stacks, `process;thread;frame;… µJ`
//! - [`flame`]: the energy flamegraph, an interactive SVG
//! - [`html`]: the report as one page for a browser
//! - [`plot`]: power over time, an SVG
//! - [`export`]: pprof, speedscope, OpenMetrics, energy over time
//! - [`diff`]: two profiles against each other
//! - [`calibration`]: what `eprof calibrate` found out
//! - [`progress`]: the live line while the target runs

pub mod csv;
pub mod diff;
pub mod export;
pub mod flamegraph;
pub mod folded;
mod format;
pub mod html;
pub mod json;
mod listing;
pub mod plot;
mod report;
pub mod stat;
pub mod text;
pub mod view;
mod written;

pub use format::sanitize::harmless;
pub use report::report;
pub use text::progress::Progress;
pub use text::style::Style;
pub use view::{By, Format, Sort, TableFormat, View};
pub use written::ignore_broken_pipe;
