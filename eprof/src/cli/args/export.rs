//! What can be typed after `eprof export`.

use std::path::PathBuf;

use clap::Args;

use super::recordings::Recordings;
use super::shared::{AttributionArgs, SymbolArgs};
use crate::output::export::ExportFormat;

pub(super) const EXAMPLES: &str = "\
Examples:
  eprof export --format pprof -o energy.pb.gz && go tool pprof -http=: energy.pb.gz
  eprof export --format speedscope -o energy.speedscope.json   # www.speedscope.app
  eprof export --format firefox -o energy.json.gz              # profiler.firefox.com
  eprof export --format timeseries-csv > power.csv             # a row per meter and interval
  eprof export --format openmetrics > /var/lib/node_exporter/eprof.prom
  eprof export --format folded run.data | inferno-flamegraph > energy.svg";

/// Options of `eprof export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Recording to read (-: standard input)
    #[arg(value_name = "FILE", default_value = "eprof.data")]
    pub file: PathBuf,

    /// Output format
    #[arg(long, value_enum)]
    pub format: ExportFormat,

    /// File to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// How energy is attributed.
    #[command(flatten)]
    pub attribution: AttributionArgs,

    /// What code is called.
    #[command(flatten)]
    pub symbols: SymbolArgs,
}

impl Recordings for ExportArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.file]
    }
}
