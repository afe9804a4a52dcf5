//! What can be typed after `eprof flamegraph`.

use std::path::PathBuf;

use clap::Args;

use super::recordings::Recordings;
use super::shared::{AttributionArgs, SymbolArgs};

pub(super) const EXAMPLES: &str = "\
Examples:
  eprof flamegraph -o energy.svg
  eprof flamegraph --lines -o lines.svg        # a box per source line
  eprof flamegraph --folded | sort -k2 -n -r | head";

/// Options of `eprof flamegraph`.
#[derive(Debug, Args)]
pub struct FlamegraphArgs {
    /// Recording to read (-: standard input)
    #[arg(value_name = "FILE", default_value = "eprof.data")]
    pub file: PathBuf,

    /// File to write [default: eprof.svg, or stdout with --folded]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write folded stacks (`process;thread;frame;frame µJ`), not a picture
    #[arg(long)]
    pub folded: bool,

    /// How energy is attributed.
    #[command(flatten)]
    pub attribution: AttributionArgs,

    /// What code is called.
    #[command(flatten)]
    pub symbols: SymbolArgs,
}

impl Recordings for FlamegraphArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.file]
    }
}
