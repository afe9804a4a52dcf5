//! What can be typed after `eprof load`.

use std::path::PathBuf;

use clap::Args;

use super::recordings::Recordings;

pub(super) const EXAMPLES: &str = "\
Examples:
  eprof load run.jsonl -o run.data
  eprof dump run.data | grep -v '^{\"sample\"' | eprof load - -o small.data
  zcat run.jsonl.gz | eprof load - -o - | eprof report -

eprof checks the text as it checks any foreign recording. docs/recording-format.md
describes it.";

/// Options of `eprof load`.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Text to read, as eprof dump writes it (-: standard input)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Recording to write (-: standard output). It replaces an older one
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

impl Recordings for LoadArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        // It reads text; `-` is understood where that is read.
        Vec::new()
    }
}
