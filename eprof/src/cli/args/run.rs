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

The report goes to stderr (or --report FILE); stdout stays the target's own.";

/// Options of `eprof run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Stack samples per second and busy CPU (0: none)
    #[arg(short = 'F', long, value_name = "HZ", default_value_t = 997, value_parser = clap::value_parser!(u32).range(0..=49_999))]
    pub frequency: u32,

    /// Stop the target after this time
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub duration: Option<Duration>,

    /// Start to measure this long after the target's start
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub delay: Option<Duration>,

    /// The recording; an older one is kept as FILE.old. In this and other names
    /// of files, %h is the host, %r the rank in a parallel job, %p eprof's
    /// process id, %n the number of the run, %% a percent sign
    #[arg(short, long, value_name = "FILE", default_value = "eprof.data")]
    pub output: PathBuf,

    /// Run it N times, keep all recordings (eprof.001.data, …), and report what
    /// eprof stat does
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeat: u32,

    /// The energy flamegraph, of several runs that of their sum [default:
    /// eprof.svg, or beside the recording if that has a % in its name]
    #[arg(long, value_name = "FILE")]
    pub flamegraph: Option<PathBuf>,

    /// Write no flamegraph
    #[arg(long, conflicts_with = "flamegraph")]
    pub no_flamegraph: bool,

    /// How it is run and measured.
    #[command(flatten)]
    pub measuring: MeasuringArgs,

    /// What code is called.
    #[command(flatten)]
    pub symbols: SymbolArgs,

    /// Print no report and no progress, only errors
    #[arg(short, long)]
    pub quiet: bool,

    /// How the report is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// Write the report to a file instead of stderr (also with --quiet)
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// The command to run, with its arguments
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
