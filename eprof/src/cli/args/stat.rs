//! What can be typed after `eprof stat`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::measuring::MeasuringArgs;
use super::recordings::Recordings;
use crate::output::TableFormat;

pub(super) const EXAMPLES: &str = "\
Examples:
  eprof stat -- ./benchmark                       # ten runs: mean, interval, range
  eprof stat -r 20 -- ./old -- ./new              # interleaved; ratio and verdict
  eprof stat -n old -n new --save runs -- ./old -- ./new
  eprof stat --warmup 2 --prepare 'sync; sleep 5' -- ./benchmark
  eprof stat --separator ++ -- git log -- a.c ++ git log -- b.c
  eprof stat -r 30 --format json -o stat.json -- ./benchmark

eprof discards what the commands write to stdout, and gives them an empty stdin. It
shows their stderr only if a command fails. --show-output lets everything through.";

/// Options of `eprof stat`.
#[derive(Debug, Args)]
pub struct StatArgs {
    /// Measured runs of each command
    #[arg(short, long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub runs: u32,

    /// Unmeasured runs of each command before these
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub warmup: u32,

    /// Shell command to run before each run, unmeasured. Give it once for all
    /// commands, or once for each
    #[arg(long, value_name = "CMD")]
    pub prepare: Vec<String>,

    /// Name of a command. The first name is that of the first command, and so on
    #[arg(short, long, value_name = "NAME")]
    pub name: Vec<String>,

    /// Seed of the random order of the runs [default: the time]
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,

    /// Word between two commands
    #[arg(long, value_name = "WORD", default_value = "--")]
    pub separator: OsString,

    /// Continue when a command fails (exit code other than 0)
    #[arg(short, long)]
    pub ignore_failure: bool,

    /// Let the commands read stdin and write to stdout and stderr
    #[arg(long)]
    pub show_output: bool,

    /// Keep the recordings as DIR/COMMAND/NNN.data (COMMAND: its name, else its
    /// number)
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,

    /// Stack samples per second and busy CPU (0: none, the cheapest)
    #[arg(short = 'F', long, value_name = "HZ", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=49_999))]
    pub frequency: u32,

    /// How the commands are run and measured.
    #[command(flatten)]
    pub measuring: MeasuringArgs,

    /// Print no progress
    #[arg(short, long)]
    pub quiet: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,

    /// File to write [default: stdout; with --show-output: stderr]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Command to run, with its arguments. Another `--` begins another command
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub target: Vec<OsString>,
}

impl Recordings for StatArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }
}
