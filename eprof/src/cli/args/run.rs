//! What can be typed after `eprof run`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::measuring::MeasuringArgs;
use super::recordings::Recordings;
use super::shared::SymbolArgs;
use crate::cli::duration;
use crate::output::Format;

pub(super) const EXAMPLES: &str = "\
Examples:
  eprof run -- ./benchmark --size 1000
  sudo eprof run -- make -j8                   # make runs as you, not as root
  eprof run --idle-power 12.5W -- ./benchmark  # the idle baseline is known
  eprof run --source model -- ./benchmark      # estimate, although there is a meter
  eprof run --quiet --format json --report run.json -- ./benchmark
  eprof run --repeat 10 -o base/%n.data -- ./benchmark   # for eprof diff
  mpirun eprof run -q -o out.%h.%r.data -- ./app         # for eprof merge

eprof writes the report to stderr (or --report FILE). Stdout is the target's alone.";

/// Options of `eprof run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Stack samples per second and busy CPU (0: none)
    #[arg(short = 'F', long, value_name = "HZ", default_value_t = 997, value_parser = clap::value_parser!(u32).range(0..=49_999))]
    pub frequency: u32,

    /// Stop the target after this time
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub duration: Option<Duration>,

    /// Start measuring this long after the target starts
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub delay: Option<Duration>,

    /// Recording to write; an older one becomes FILE.old, and /dev/null keeps
    /// none. In names of files, %h is the host, %r the rank in a parallel job,
    /// %p eprof's process id, %n the number of the run, and %% a percent sign
    #[arg(short, long, value_name = "FILE", default_value = "eprof.data")]
    pub output: PathBuf,

    /// Run the command N times, keep all recordings (eprof.001.data, …), and
    /// report as eprof stat does
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeat: u32,

    /// Flamegraph to write; of several runs, that of their sum [default:
    /// eprof.svg, or beside the recording if its name has a %]
    #[arg(long, value_name = "FILE")]
    pub flamegraph: Option<PathBuf>,

    /// Write no flamegraph
    #[arg(long, conflicts_with = "flamegraph")]
    pub no_flamegraph: bool,

    /// How the command is run and measured.
    #[command(flatten)]
    pub measuring: MeasuringArgs,

    /// What code is called.
    #[command(flatten)]
    pub symbols: SymbolArgs,

    /// Print only errors: no report, no progress
    #[arg(short, long)]
    pub quiet: bool,

    /// Output format of the report
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// Write the report to this file, not to stderr (also with --quiet)
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Command to run, with its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub target: Vec<OsString>,
}

impl Recordings for RunArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }
}
