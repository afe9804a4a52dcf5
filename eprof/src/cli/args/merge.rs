//! What can be typed after `eprof merge`.

use std::path::PathBuf;

use clap::Args;

use super::recordings::Recordings;

pub(super) const EXAMPLES: &str = "\
Examples:
  mpirun eprof run -q -o out.%h.%r.data -- ./app   # a recording per rank
  eprof merge out.*.data -o all.data
  eprof report all.data                            # the sum, and a table of runs
  eprof flamegraph all.data -o all.svg             # run, process, thread, functions
  eprof export --format pprof all.data -o all.pb.gz

The file contains the recordings unchanged, each with labels (host, rank, file).
A merged file can be merged again.";

/// Options of `eprof merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Recordings, or files that eprof merge wrote
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// File to write (-: standard output). It replaces an older file
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

impl Recordings for MergeArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        self.files.iter_mut().collect()
    }
}
