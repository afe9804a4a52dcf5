//! Export: the ledger in the formats of other tools. Every format adds up to
//! the target's account, or to the meters, to the microjoule.
//!
//! - [`pprof`]: `go tool pprof`, Pyroscope, Parca
//! - [`firefox`]: the Firefox Profiler, with samples and power in time
//! - [`speedscope`]: the viewer of that name, in the browser
//! - [`openmetrics`]: Prometheus, node_exporter's textfile collector
//! - [`series`]: a CSV row per meter and interval
//!
//! (Folded stacks and JSON are those of [`super::folded`] and [`super::json`].)

pub mod firefox;
pub mod openmetrics;
pub mod pprof;
pub mod series;
pub mod speedscope;

mod stacks;
