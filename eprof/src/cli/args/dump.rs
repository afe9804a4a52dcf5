//! What can be typed after `eprof dump`.

use std::path::PathBuf;

use clap::Args;

use super::recordings::Recordings;

pub(super) const EXAMPLES: &str = "\
Examples:
  eprof dump | head                                  # eprof.data, a JSON value per line
  eprof dump run.data -o run.jsonl
  eprof dump run.data | jq -c 'select(.thread).thread'
  eprof dump run.data | sed 's/secret/name/g' | eprof load - -o shared.data

docs/recording-format.md describes each line. Nothing is lost: eprof load makes an
equal recording from the text.";

/// Options of `eprof dump`.
#[derive(Debug, Args)]
pub struct DumpArgs {
    /// Recording to read, also a merged one (-: standard input)
    #[arg(value_name = "FILE", default_value = "eprof.data")]
    pub file: PathBuf,

    /// File to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

impl Recordings for DumpArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.file]
    }
}
