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

use std::sync::LazyLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;

/// A format that is made of a profile alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProfileFormat {
    /// pprof (gzipped protocol buffer): energy, CPU time and samples by stack
    Pprof,
    /// speedscope (JSON): energy and CPU time by stack
    Speedscope,
    /// Folded stacks, `process;thread;frame;frame µJ`
    Folded,
    /// OpenMetrics (Prometheus text): totals of meters, accounts and commands
    Openmetrics,
    /// The whole report, as `eprof report --format json`
    Json,
}

/// A format that needs the times of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimedFormat {
    /// Firefox Profiler (JSON, gzipped where the file's name ends in .gz):
    /// samples and power in time
    Firefox,
    /// Energy over time: a row per meter and interval
    TimeseriesCsv,
}

/// The value of `eprof export --format`: any format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Without time.
    Profile(ProfileFormat),
    /// With time.
    Timed(TimedFormat),
}

impl ValueEnum for ExportFormat {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<ExportFormat>> = LazyLock::new(|| {
            let of_profile = ProfileFormat::value_variants().iter().copied();
            let timed = TimedFormat::value_variants().iter().copied();
            let of_profile = of_profile.map(ExportFormat::Profile);
            of_profile.chain(timed.map(ExportFormat::Timed)).collect()
        });
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Profile(format) => format.to_possible_value(),
            Self::Timed(format) => format.to_possible_value(),
        }
    }
}
