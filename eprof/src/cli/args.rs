//! What can be typed. No IO happens here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::counters::{self, CounterChoice};
use super::duration;
use crate::output::{By, Format, Sort};

/// Exit codes and environment, told where people look for them.
const EXIT_CODES: &str = "\
Exit codes:
  eprof run passes the target's own code through (128+N when signal N killed it).
  eprof's own errors: 2 wrong usage, 65 a file is not a recording, 66 a file cannot
  be read or written, 69 this machine cannot do it, 70 internal error, 77 missing
  permission, 126 the target cannot be run, 127 the target was not found.
  eprof doctor: 0 energy can be measured, 3 only estimated, 4 eprof run cannot work.

Environment:
  EPROF_SYSROOT  read /sys and /proc about the machine below this directory
  EPROF_UNWINDING  how stacks are walked: tables, copies (on AArch64) or pointers
  EPROF_NO_BTF   set to 1: do without BTF, as on a kernel that lacks it
  NO_COLOR       no colours, even on a terminal
  DEBUGINFOD_URLS, DEBUGINFOD_CACHE_PATH, DEBUGINFOD_TIMEOUT, DEBUGINFOD_MAXSIZE
                 fetch missing debug information from these servers, see
                 debuginfod-find(1); without the first, nothing is fetched";

const RUN_EXAMPLES: &str = "\
Examples:
  eprof run -- ./benchmark --size 1000
  sudo eprof run -- make -j8                   # make runs as you, not as root
  eprof run --idle-power 12.5W -- ./benchmark  # the idle baseline is known
  eprof run --source model -- ./benchmark      # estimate, although there is a meter
  eprof run --quiet --format json --report run.json -- ./benchmark

The report goes to stderr (or --report FILE); stdout stays the target's own.";

const REPORT_EXAMPLES: &str = "\
Examples:
  eprof report
  eprof report --by function --limit 30
  eprof report --by process --sort cpu --format csv eprof.data.old
  eprof report --format json | jq '.ledger'
  eprof report --idle-power 10W                # attribute again, another baseline
  eprof report --by function --lines           # by source line
  eprof report --symbol-path ./debug           # names that the recording lacks";

const FLAMEGRAPH_EXAMPLES: &str = "\
Examples:
  eprof flamegraph -o energy.svg
  eprof flamegraph --lines -o lines.svg        # a box per source line
  eprof flamegraph --folded | sort -k2 -n -r | head";

const EXPORT_EXAMPLES: &str = "\
Examples:
  eprof export --format pprof -o energy.pb.gz && go tool pprof -http=: energy.pb.gz
  eprof export --format speedscope -o energy.speedscope.json   # www.speedscope.app
  eprof export --format csv > power.csv                        # a row per meter and interval
  eprof export --format openmetrics > /var/lib/node_exporter/eprof.prom
  eprof export --format folded run.data | inferno-flamegraph > energy.svg";

const CALIBRATE_EXAMPLES: &str = "\
Examples:
  sudo eprof calibrate                         # about a minute, on a quiet machine
  sudo eprof calibrate --strict --duration 5m  # refuse a machine that is not quiet
  sudo eprof calibrate --idle-only             # idle power, no model
  eprof calibrate --from rows.csv --target package_power \\
    --signals cycles=cpu_cycles,time=cpu_time_us

The result is saved in $XDG_CONFIG_HOME/eprof/calibration.json, where eprof run
finds it. Exit code 3: something was left out, and why is said; the rest is saved.";

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
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// Break a recorded run down
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Draw the energy flamegraph of a recorded run
    #[command(after_help = FLAMEGRAPH_EXAMPLES)]
    Flamegraph(FlamegraphArgs),
    /// Write a recorded run in the format of another tool
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Measure idle power and a power model of this machine, once
    #[command(after_help = CALIBRATE_EXAMPLES)]
    Calibrate(CalibrateArgs),
    /// Show the energy meters of this machine, and why one is unusable
    #[command(after_help = "Example:\n  eprof list --format json")]
    List(ListArgs),
    /// Check what works here, and print the exact remedy for what does not
    #[command(after_help = "Example:\n  eprof doctor --format json")]
    Doctor(ListArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  eprof completions bash > /etc/bash_completion.d/eprof")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// How `run`, `calibrate`, `list` and `doctor` write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ShortFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// Which energy source to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SourceChoice {
    /// The best that works: perf, powercap, hwmon, battery, model
    #[default]
    Auto,
    /// The kernel's power PMU (RAPL)
    Perf,
    /// /sys/class/powercap (RAPL)
    Powercap,
    /// /sys/class/hwmon sensors
    Hwmon,
    /// A discharging battery: coarse
    Battery,
    /// An estimate from CPU time
    Model,
}

/// What makes a slice of CPU time heavy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    /// A power model where one predicts better than time, else cycles or time
    #[default]
    Auto,
    /// Time on a CPU
    Time,
    /// CPU cycles
    Cycles,
    /// A power model of all counters, however well it predicts
    Model,
}

/// Options of `eprof run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Stack samples per second and busy CPU (0: none)
    #[arg(short = 'F', long, value_name = "HZ", default_value_t = 997, value_parser = clap::value_parser!(u32).range(0..=49_999))]
    pub frequency: u32,

    /// Time between two readings of the meters
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = duration::parse_interval)]
    pub interval: Duration,

    /// Stop the target after this time
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub duration: Option<Duration>,

    /// Start to measure this long after the target's start
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub delay: Option<Duration>,

    /// The recording; an older one is kept as FILE.old
    #[arg(short, long, value_name = "FILE", default_value = "eprof.data")]
    pub output: PathBuf,

    /// The energy flamegraph
    #[arg(long, value_name = "FILE", default_value = "eprof.svg")]
    pub flamegraph: PathBuf,

    /// Write no flamegraph
    #[arg(long, conflicts_with = "flamegraph")]
    pub no_flamegraph: bool,

    /// Where energy readings come from
    #[arg(long, value_enum, default_value_t)]
    pub source: SourceChoice,

    /// Hardware counters to read at every switch: `auto`, `none`, or a list of
    /// cycles, reference-cycles, instructions, cache-misses. Each costs a
    /// little time per switch
    #[arg(long, value_name = "LIST", default_value = "auto", value_parser = counters::parse)]
    pub counters: CounterChoice,

    /// How energy is attributed.
    #[command(flatten)]
    pub attribution: AttributionArgs,

    /// What code is called.
    #[command(flatten)]
    pub symbols: SymbolArgs,

    /// Run the target as this user (name or uid); under sudo the default is
    /// the calling user
    #[arg(long, value_name = "USER", conflicts_with = "as_root")]
    pub user: Option<String>,

    /// Run the target as root, even under sudo
    #[arg(long)]
    pub as_root: bool,

    /// Print no report and no progress, only errors
    #[arg(short, long)]
    pub quiet: bool,

    /// How the report is written
    #[arg(long, value_enum, default_value_t)]
    pub format: ShortFormat,

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

/// Options of everything that shows code.
#[derive(Clone, Debug, Default, Args)]
pub struct SymbolArgs {
    /// Tell source lines apart, not only functions
    #[arg(long)]
    pub lines: bool,

    /// Count inlined calls to their caller
    #[arg(long)]
    pub no_inline: bool,

    /// Look for programs and debug files here too, by their build ids (may be
    /// given several times)
    #[arg(long, value_name = "DIR")]
    pub symbol_path: Vec<PathBuf>,
}

/// Options of everything that attributes.
#[derive(Clone, Debug, Default, Args)]
pub struct AttributionArgs {
    /// Idle power: `12.5W`, per domain `package=12W,dram=3W`, or `none`
    #[arg(long, value_name = "POWER")]
    pub idle_power: Option<String>,

    /// What energy is shared by
    #[arg(long, value_enum, default_value_t, alias = "weights")]
    pub attribution: Weights,
}

/// Options of `eprof report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The recording
    #[arg(value_name = "FILE", default_value = "eprof.data")]
    pub file: PathBuf,

    /// One table of all rows of a kind, instead of the summary
    #[arg(long, value_enum)]
    pub by: Option<By>,

    /// Order of the rows
    #[arg(long, value_enum)]
    pub sort: Option<Sort>,

    /// At most this many rows
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,

    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// How energy is attributed.
    #[command(flatten)]
    pub attribution: AttributionArgs,

    /// What code is called.
    #[command(flatten)]
    pub symbols: SymbolArgs,
}

/// Options of `eprof flamegraph`.
#[derive(Debug, Args)]
pub struct FlamegraphArgs {
    /// The recording
    #[arg(value_name = "FILE", default_value = "eprof.data")]
    pub file: PathBuf,

    /// Where to write [default: eprof.svg, or stdout with --folded]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Folded stacks (`process;thread;frame;frame µJ`) instead of a picture
    #[arg(long)]
    pub folded: bool,

    /// How energy is attributed.
    #[command(flatten)]
    pub attribution: AttributionArgs,

    /// What code is called.
    #[command(flatten)]
    pub symbols: SymbolArgs,
}

/// A format of another tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// pprof (gzipped protocol buffer): energy, CPU time and samples by stack
    Pprof,
    /// speedscope (JSON): energy and CPU time by stack
    Speedscope,
    /// Folded stacks, `process;thread;frame;frame µJ`
    Folded,
    /// Energy over time: a row per meter and interval
    Csv,
    /// OpenMetrics (Prometheus text): totals of meters, accounts and commands
    Openmetrics,
    /// The whole report, as `eprof report --format json`
    Json,
}

/// Options of `eprof export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The recording
    #[arg(value_name = "FILE", default_value = "eprof.data")]
    pub file: PathBuf,

    /// The format
    #[arg(long, value_enum)]
    pub format: ExportFormat,

    /// Where to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// How energy is attributed.
    #[command(flatten)]
    pub attribution: AttributionArgs,

    /// What code is called.
    #[command(flatten)]
    pub symbols: SymbolArgs,
}

/// Options of `eprof calibrate`.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// Where energy readings come from
    #[arg(long, value_enum, default_value_t)]
    pub source: SourceChoice,

    /// How long all of it takes
    #[arg(long, value_name = "TIME", default_value = "55s", value_parser = duration::parse)]
    pub duration: Duration,

    /// How long of it idle power is measured
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration::parse)]
    pub idle_time: Duration,

    /// Measure idle power only
    #[arg(long, conflicts_with_all = ["duration", "signals"])]
    pub idle_only: bool,

    /// Refuse a machine that is not quiet
    #[arg(long)]
    pub strict: bool,

    /// The signals of the model, e.g. time,cycles,instructions; with --from
    /// and their columns, e.g. cycles=cpu_cycles
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub signals: Vec<String>,

    /// Fit the rows of this CSV file instead of measuring
    #[arg(long, value_name = "FILE", conflicts_with_all = ["source", "duration", "idle_time", "idle_only", "strict"])]
    pub from: Option<PathBuf>,

    /// The column of the CSV file that is power in watts
    #[arg(long, value_name = "COLUMN", requires = "from")]
    pub target: Option<String>,

    /// Time in which the signals of a row of the CSV file were counted
    #[arg(long, value_name = "TIME", default_value = "1s", requires = "from", value_parser = duration::parse)]
    pub row_time: Duration,

    /// Where to save [default: calibration.json where eprof run looks for it;
    /// with --from nowhere]
    #[arg(short, long, value_name = "FILE", conflicts_with = "dry_run")]
    pub output: Option<PathBuf>,

    /// Save nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Print no progress
    #[arg(short, long)]
    pub quiet: bool,

    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub format: ShortFormat,
}

/// Options of `eprof list` and `eprof doctor`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: ShortFormat,
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
            vec!["eprof", "calibrate", "--target", "power"],
            vec!["eprof", "calibrate", "--from", "a.csv", "--strict"],
            vec!["eprof", "calibrate", "--idle-only", "--signals", "time"],
            vec!["eprof", "frobnicate"],
        ] {
            assert!(Cli::try_parse_from(&line).is_err(), "{line:?}");
        }
    }
}
