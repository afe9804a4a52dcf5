//! What can be typed after `eprof export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::shared::{AttributionArgs, SymbolArgs};

pub(super) const EXAMPLES: &str = "\
Examples:
  eprof export --format pprof -o energy.pb.gz && go tool pprof -http=: energy.pb.gz
  eprof export --format speedscope -o energy.speedscope.json   # www.speedscope.app
  eprof export --format firefox -o energy.json.gz              # profiler.firefox.com
  eprof export --format csv > power.csv                        # a row per meter and interval
  eprof export --format openmetrics > /var/lib/node_exporter/eprof.prom
  eprof export --format folded run.data | inferno-flamegraph > energy.svg";

/// A format of another tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// pprof (gzipped protocol buffer): energy, CPU time and samples by stack
    Pprof,
    /// speedscope (JSON): energy and CPU time by stack
    Speedscope,
    /// Firefox Profiler (JSON, gzipped where the file's name ends in .gz):
    /// samples and power in time
    Firefox,
    /// Folded stacks, `process;thread;frame;frame µJ`
    Folded,
    /// Energy over time: a row per meter and interval
    Csv,
    /// OpenMetrics (Prometheus text): totals of meters, accounts and commands
    Openmetrics,
    /// The whole report, as `eprof report --format json`
    Json,
}

/// Options of `eprof export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The recording (-: standard input)
    #[arg(value_name = "FILE", default_value = "eprof.data")]
    pub file: PathBuf,

    /// The format
    #[arg(long, value_enum)]
    pub format: ExportFormat,

    /// Where to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// How energy is attributed.
    #[command(flatten)]
    pub attribution: AttributionArgs,

    /// What code is called.
    #[command(flatten)]
    pub symbols: SymbolArgs,
}
