//! What can be typed. No IO happens here.

mod calibrate;
mod diff;
mod dump;
mod export;
mod flamegraph;
mod load;
mod measuring;
mod merge;
mod plot;
mod recordings;
mod report;
mod run;
mod shared;
mod stat;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::output::TableFormat;

pub use calibrate::CalibrateArgs;
pub use diff::DiffArgs;
pub use dump::DumpArgs;
pub use export::ExportArgs;
pub use flamegraph::FlamegraphArgs;
pub use load::LoadArgs;
pub use measuring::MeasuringArgs;
pub use merge::MergeArgs;
pub use plot::PlotArgs;
pub use recordings::Recordings;
pub use report::ReportArgs;
pub use run::RunArgs;
pub use shared::{AttributionArgs, SymbolArgs};
pub use stat::StatArgs;

/// Exit codes and environment.
const EXIT_CODES: &str = "\
Exit codes:
  eprof run ends with the target's exit code (128+N if signal N killed the target).
  eprof stat ends with the exit code of a command that failed, or with 128+N if
  signal N ended eprof stat.
  eprof's own errors: 2 wrong usage, 65 a file is not a recording, 66 a file cannot
  be read or written, 69 this machine cannot do it, 70 internal error, 77 missing
  permission, 126 the target cannot be run, 127 the target was not found.
  eprof doctor: 0 energy can be measured, 3 only estimated, 4 eprof run cannot work.
  eprof diff: 0 compared, 5 something rose by more than --fail-above allows.

Environment:
  EPROF_LOG=LEVEL[,FILE]   log what eprof does, to stderr or to FILE; LEVEL is error,
                           warn, info, debug or trace
  EPROF_VERIFIER_LOG=FILE  if the kernel's verifier refuses a program, write its whole
                           log to FILE
  EPROF_SYSROOT=DIR        read /sys and /proc about the machine below DIR
  EPROF_UNWINDING=WAY      how stacks are walked: tables, copies or pointers
  EPROF_NO_BTF=1           do without BTF, as on a kernel that lacks it
  GITHUB_STEP_SUMMARY      the file that eprof diff --github-summary appends to
  NO_COLOR                 no colours, even on a terminal
  DEBUGINFOD_URLS, DEBUGINFOD_CACHE_PATH, DEBUGINFOD_TIMEOUT, DEBUGINFOD_MAXSIZE
                           fetch missing debug information from these servers, see
                           debuginfod-find(1); without DEBUGINFOD_URLS, eprof fetches
                           nothing";

/// Where did the joules go? Attributes measured energy to processes, threads
/// and stacks.
#[derive(Debug, Parser)]
#[command(
    name = "eprof",
    after_help = EXIT_CODES,
    arg_required_else_help = true,
    subcommand_required = true
)]
pub struct Cli {
    /// Read /sys and /proc about the machine below this directory
    #[arg(long, global = true, value_name = "DIR", hide = true)]
    pub sysroot: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a command and show where its energy went
    #[command(after_help = run::EXAMPLES)]
    Run(Box<RunArgs>),
    /// Run commands repeatedly and compare their energy
    #[command(after_help = stat::EXAMPLES)]
    Stat(Box<StatArgs>),
    /// Show where the energy of a recorded run went
    #[command(after_help = report::EXAMPLES)]
    Report(ReportArgs),
    /// Draw the energy flamegraph of a recorded run
    #[command(after_help = flamegraph::EXAMPLES)]
    Flamegraph(FlamegraphArgs),
    /// Draw power over time, by command, process or thread
    #[command(after_help = plot::EXAMPLES)]
    Plot(PlotArgs),
    /// Write a recorded run in the format of another tool
    #[command(after_help = export::EXAMPLES)]
    Export(ExportArgs),
    /// Compare two recordings, or directories of repeated runs
    #[command(after_help = diff::EXAMPLES)]
    Diff(Box<DiffArgs>),
    /// Put several recordings into one file: ranks, hosts, repeats
    #[command(after_help = merge::EXAMPLES)]
    Merge(MergeArgs),
    /// Write a recording as text, a JSON value per line, without loss
    #[command(after_help = dump::EXAMPLES)]
    Dump(DumpArgs),
    /// Make a recording from the text that eprof dump wrote
    #[command(after_help = load::EXAMPLES)]
    Load(LoadArgs),
    /// Measure idle power and a power model of this machine, once
    #[command(after_help = calibrate::EXAMPLES)]
    Calibrate(CalibrateArgs),
    /// Show the energy meters of this machine, and why one is unusable
    #[command(after_help = "Example:\n  eprof list --format json")]
    List(ListArgs),
    /// Check what works on this machine, and show how to fix what does not
    #[command(after_help = "Example:\n  eprof doctor --format json")]
    Doctor(ListArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  eprof completions bash > /etc/bash_completion.d/eprof")]
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write those of all commands
    #[command(
        after_help = "Examples:\n  eprof man | man -l -\n  eprof man /usr/local/share/man/man1"
    )]
    Man {
        /// Directory to write a page for each command to
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
    },
}

impl Command {
    /// The recordings that the command reads.
    pub fn recordings(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Run(args) => args.recordings(),
            Self::Stat(args) => args.recordings(),
            Self::Report(args) => args.recordings(),
            Self::Flamegraph(args) => args.recordings(),
            Self::Plot(args) => args.recordings(),
            Self::Export(args) => args.recordings(),
            Self::Diff(args) => args.recordings(),
            Self::Merge(args) => args.recordings(),
            Self::Dump(args) => args.recordings(),
            Self::Load(args) => args.recordings(),
            Self::Calibrate(args) => args.recordings(),
            Self::List(args) | Self::Doctor(args) => args.recordings(),
            Self::Completions { .. } | Self::Man { .. } => Vec::new(),
        }
    }
}

/// Options of `eprof list` and `eprof doctor`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

impl Recordings for ListArgs {
    fn recordings(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let cli = Cli::try_parse_from(["eprof", "run", "-F", "99", "ls", "-F", "--quiet"]);
        let Ok(Command::Run(run)) = cli.map(|cli| cli.command) else {
            unreachable!("the line above is valid");
        };
        assert_eq!(run.frequency, 99);
        assert!(!run.quiet);
        assert_eq!(run.target, ["ls", "-F", "--quiet"]);
    }

    #[test]
    fn garbage_is_refused() {
        for line in [
            vec!["eprof", "run"],
            vec!["eprof", "run", "-F", "-1", "--", "ls"],
            vec!["eprof", "run", "-F", "1000000", "--", "ls"],
            vec!["eprof", "run", "--interval", "0", "--", "ls"],
            vec!["eprof", "run", "--source", "sun", "--", "ls"],
            vec!["eprof", "run", "--counters", "sheep", "--", "ls"],
            vec!["eprof", "run", "--user", "a", "--as-root", "--", "ls"],
            vec!["eprof", "report", "--limit", "many"],
            vec!["eprof", "report", "--by", "moon"],
            vec!["eprof", "report", "--html", "a.html", "--by", "thread"],
            vec!["eprof", "plot", "--by", "moon"],
            vec!["eprof", "plot", "--top", "-1"],
            vec!["eprof", "calibrate", "--target", "power"],
            vec!["eprof", "calibrate", "--from", "a.csv", "--strict"],
            vec!["eprof", "calibrate", "--idle-only", "--signals", "time"],
            vec!["eprof", "diff", "a"],
            vec!["eprof", "diff", "a", "b", "--fail-above", "-3%"],
            vec!["eprof", "diff", "a", "b", "--function", "f"],
            vec!["eprof", "diff", "a", "b", "--confidence", "100%"],
            vec!["eprof", "load", "a.jsonl"],
            vec!["eprof", "load", "-o", "a.data"],
            vec!["eprof", "dump", "a.data", "b.data"],
            vec!["eprof", "frobnicate"],
        ] {
            assert!(Cli::try_parse_from(&line).is_err(), "{line:?}");
        }
    }
}
