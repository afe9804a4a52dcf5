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
  eprof report --idle-power 10W                # attribute again, another baseline
  eprof report --by function --lines           # by source line
  eprof report --symbol-path ./debug           # names that the recording lacks";

/// Options of `eprof report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The recording (-: standard input)
    #[arg(value_name = "FILE", default_value = "eprof.data")]
    pub file: PathBuf,

    /// One table of all rows of a kind, instead of the summary
    #[arg(long, value_enum)]
    pub by: Option<By>,

    /// Order of the rows
    #[arg(long, value_enum)]
    pub sort: Option<Sort>,

    /// At most this many rows
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,

    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// Write the whole report as a page for a browser, `-` for stdout
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
