//! What can be typed after `eprof calibrate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::recordings::Recordings;
use crate::cli::duration;
use crate::output::TableFormat;
use crate::source::Choice;

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo eprof calibrate                         # about a minute, on a quiet machine
  sudo eprof calibrate --strict --duration 5m  # refuse a machine that is not quiet
  sudo eprof calibrate --idle-only             # idle power, no model
  eprof calibrate --from rows.csv --target package_power \\
    --signals cycles=cpu_cycles,time=cpu_time_us

eprof saves the result in $XDG_CONFIG_HOME/eprof/calibration.json, where eprof run
finds it. Exit code 3: something could not be measured. eprof says why, and saves
the rest.";

/// Options of `eprof calibrate`.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// Energy source to read
    #[arg(long, value_enum, default_value_t)]
    pub source: Choice,

    /// How long the calibration takes
    #[arg(long, value_name = "TIME", default_value = "55s", value_parser = duration::parse)]
    pub duration: Duration,

    /// Part of that time in which to measure idle power
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration::parse)]
    pub idle_time: Duration,

    /// Measure idle power only
    #[arg(long, conflicts_with_all = ["duration", "signals"])]
    pub idle_only: bool,

    /// Refuse a machine that is not quiet
    #[arg(long)]
    pub strict: bool,

    /// Signals of the model, such as time,cycles,instructions. With --from, also
    /// their columns: cycles=cpu_cycles
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub signals: Vec<String>,

    /// Fit the rows of this CSV file instead of measuring
    #[arg(long, value_name = "FILE", conflicts_with_all = ["source", "duration", "idle_time", "idle_only", "strict"])]
    pub from: Option<PathBuf>,

    /// Column of the CSV file with the power in watts
    #[arg(long, value_name = "COLUMN", requires = "from")]
    pub target: Option<String>,

    /// Time that each row of the CSV file covers
    #[arg(long, value_name = "TIME", default_value = "1s", requires = "from", value_parser = duration::parse)]
    pub row_time: Duration,

    /// File to save to [default: calibration.json where eprof run looks for it;
    /// with --from: none]
    #[arg(short, long, value_name = "FILE", conflicts_with = "dry_run")]
    pub output: Option<PathBuf>,

    /// Save nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Print no progress
    #[arg(short, long)]
    pub quiet: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

impl Recordings for CalibrateArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }
}
