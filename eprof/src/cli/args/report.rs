//! What can be typed after `eprof report`.

use std::path::PathBuf;

use clap::Args;

use super::recordings::Recordings;
use super::shared::{AttributionArgs, SymbolArgs};
use crate::output::{By, Format, Sort};

pub(super) const EXAMPLES: &str = "\
Examples:
  eprof report
  eprof report --by function --limit 30
  eprof report --by process --sort cpu --format csv eprof.data.old
  eprof report --format json | jq '.ledger'
  eprof report --html energy.html              # everything, as one page
  eprof report --idle-power 10W                # attribute again with another idle power
  eprof report --by function --lines           # by source line
  eprof report --symbol-path ./debug           # names that the recording lacks";

/// Options of `eprof report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Recording to read (-: standard input)
    #[arg(value_name = "FILE", default_value = "eprof.data")]
    pub file: PathBuf,

    /// Show one table with all rows of this kind, not the summary
    #[arg(long, value_enum)]
    pub by: Option<By>,

    /// Sort rows by this
    #[arg(long, value_enum)]
    pub sort: Option<Sort>,

    /// Show at most N rows
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,

    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// Write the whole report as a page for a browser (-: standard output)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["by", "sort", "limit", "format"])]
    pub html: Option<PathBuf>,

    /// How energy is attributed.
    #[command(flatten)]
    pub attribution: AttributionArgs,

    /// What code is called.
    #[command(flatten)]
    pub symbols: SymbolArgs,
}

impl Recordings for ReportArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.file]
    }
}
