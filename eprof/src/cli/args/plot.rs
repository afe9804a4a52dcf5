//! What can be typed after `eprof plot`.

use std::path::PathBuf;

use clap::Args;

use super::recordings::Recordings;
use super::shared::AttributionArgs;
use crate::output::plot::MOST_CONSUMERS;
use crate::profile::Group;

pub(super) const EXAMPLES: &str = "\
Examples:
  eprof plot -o power.svg
  eprof plot --by thread eprof.data.old
  eprof plot --by command --top 4 -o - | rsvg-convert > power.png";

/// Options of `eprof plot`.
#[derive(Debug, Args)]
pub struct PlotArgs {
    /// Recording to read (-: standard input)
    #[arg(value_name = "FILE", default_value = "eprof.data")]
    pub file: PathBuf,

    /// File to write (-: standard output)
    #[arg(short, long, value_name = "FILE", default_value = "eprof-power.svg")]
    pub output: PathBuf,

    /// Group power by this [default: what fits the run]
    #[arg(long, value_enum)]
    pub by: Option<Group>,

    /// Draw the N largest groups, at most 10
    #[arg(long, value_name = "N", default_value_t = MOST_CONSUMERS)]
    pub top: usize,

    /// How energy is attributed.
    #[command(flatten)]
    pub attribution: AttributionArgs,
}

impl Recordings for PlotArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.file]
    }
}
