//! Output: bytes from results (a profile, a comparison, repeated runs, what a
//! calibration found), and from nothing else.
//!
//! ```text
//! Profile ─────┬─► text, json, csv         the report, from the rows of a listing
//!              ├─► folded ─► flamegraph ─┐
//!              ├─► plot ─────────────────┴─► html   all of it as one page
//!              └─► export                 the formats of other tools
//! Difference ────► diff                   table, JSON, Markdown, flamegraph
//! Results ───────► stat                   table, JSON
//! Findings, … ───► text                   what calibrate, list and doctor found
//!
//! view: what is asked for      listing: the rows of that, in order
//! format: how a value is written, and facts about a run
//! ```
//!
//! `format` imports none of the others. `html` puts pictures into its page;
//! `diff` and `stat` use the tables of `text`.
//!
//! Every writer takes an `impl io::Write` and is deterministic: the same
//! profile gives the same bytes. What was not measured is shown as `–` (table),
//! `null` (JSON) or an empty field (CSV), never as zero. Names of processes
//! and functions are chosen by whoever is measured: `format::sanitize` makes
//! them visible, and pages and pictures escape whatever is not markup by type.

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
