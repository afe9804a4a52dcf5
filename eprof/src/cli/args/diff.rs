//! What can be typed after `eprof diff`.

use std::path::PathBuf;

use clap::Args;

use super::recordings::Recordings;
use super::shared::{AttributionArgs, SymbolArgs};
use crate::diff::{By, MetricChoice};
use crate::error::{Error, ErrorKind};
use crate::output::diff::DiffFormat;
use crate::statistics::Confidence;

pub(super) const EXAMPLES: &str = "\
Examples:
  eprof diff old.data new.data                  # one run each: a first impression
  eprof diff old/ new/                          # directories of repeated runs
  eprof diff old/ new/ --by stack --limit 50
  eprof diff old/ new/ --flamegraph diff.svg --reverse gone.svg
  eprof diff old/ new/ --fail-above 3%          # exit code 5 if energy rose by more
  eprof diff old/ new/ --fail-above 5% --function parse --function render
  eprof diff old/ new/ --fail-above 3% --metric cpu-time --format markdown --github-summary

Repeated runs, interleaved, with stacks:
  sudo eprof stat -r 10 -F 997 -n old -n new --save runs -- ./old -- ./new
  eprof diff runs/old runs/new";

/// Options of `eprof diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// What to compare with: a recording, or a directory of recordings (*.data)
    /// of repeated runs
    #[arg(value_name = "BASE")]
    pub base: PathBuf,

    /// What to compare: likewise
    #[arg(value_name = "NEW")]
    pub new: PathBuf,

    /// Show one table with all rows of this kind, not the overview
    #[arg(long, value_enum)]
    pub by: Option<By>,

    /// Show at most N rows of each kind (JSON has all rows)
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,

    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub format: DiffFormat,

    /// File to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Quantity to compare
    #[arg(long, value_enum, default_value_t)]
    pub metric: MetricChoice,

    /// Confidence of "changed", for all rows of a kind together
    #[arg(long, value_name = "PERCENT", default_value = "99%")]
    pub confidence: Confidence,

    /// Exit with code 5 if the metric rose by more than this: if the whole
    /// confidence interval of the increase lies above it
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub fail_above: Option<f64>,

    /// Apply --fail-above to this function and what it calls, not to the target
    /// (repeatable)
    #[arg(long, value_name = "NAME", requires = "fail_above")]
    pub function: Vec<String>,

    /// Also append the comparison as Markdown to the file
    /// $GITHUB_STEP_SUMMARY, if that is set
    #[arg(long)]
    pub github_summary: bool,

    /// Also draw a differential flamegraph: widths are those of NEW, colours
    /// show the change
    #[arg(long, value_name = "FILE")]
    pub flamegraph: Option<PathBuf>,

    /// Also draw it with the widths of BASE, which shows code that is gone
    #[arg(long, value_name = "FILE")]
    pub reverse: Option<PathBuf>,

    /// How energy is attributed.
    #[command(flatten)]
    pub attribution: AttributionArgs,

    /// What code is called.
    #[command(flatten)]
    pub symbols: SymbolArgs,
}

impl Recordings for DiffArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.base, &mut self.new]
    }
}

/// `3%`, `3` or `2.5%` as a part: 0.03.
fn percent(text: &str) -> Result<f64, Error> {
    let number = text.trim().trim_end_matches('%').trim();
    let percent = number.parse::<f64>().ok();
    let usable = percent.filter(|percent| (0.0..=1e6).contains(percent));
    usable.map(|percent| percent / 100.0).ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            format!("`{text}` is not a percentage from 0%"),
        )
        .hint("write it as 3% or 2.5%")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_read() {
        let read = |text| percent(text).ok();
        assert_eq!(read("3%"), Some(0.03));
        assert_eq!(read("2.5"), Some(0.025));
        assert_eq!(read("0 %"), Some(0.0));
        for text in ["", "%", "-1%", "x", "nan", "inf"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
