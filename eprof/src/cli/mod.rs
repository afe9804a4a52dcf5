//! The command line: what was typed ([`args`]), and one file for what each
//! command does about it.
//!
//! Parsing does no IO; a command calls the pipeline, then an output.

pub mod args;
mod attribution;
mod calibrate;
mod complete;
mod counters;
mod deliver;
mod diff;
mod dump;
mod duration;
mod elevated;
mod export;
mod file_names;
mod flamegraph;
mod load;
mod log;
mod machine;
mod man;
mod merge;
mod naming;
mod plan;
mod plot;
mod report;
mod run;
mod run_files;
mod run_repeat;
mod say;
mod stat;
mod stdin;
mod verifier_log;

use std::ffi::OsString;

use crate::error::Result;
use crate::host::SysRoot;

use args::{Cli, Command};
pub use elevated::not_settled;
pub use say::complain;

/// Does what was typed. The result is the exit code. `ignored` are variables that
/// [`crate::host::elevation::settle`] took out of the environment.
///
/// # Errors
///
/// Errors of eprof itself; each kind has an exit code of its own.
pub fn execute(mut cli: Cli, ignored: &[OsString]) -> Result<u8> {
    elevated::begin(&mut cli, ignored)?;
    log::start()?;
    let root = SysRoot::find(cli.sysroot.as_deref());
    let _kept = stdin::keep(&mut cli.command)?;
    match cli.command {
        Command::Run(args) => run::execute(&args, root),
        Command::Stat(args) => stat::execute(&args, root),
        Command::Report(args) => report::execute(&args),
        Command::Flamegraph(args) => flamegraph::execute(&args),
        Command::Plot(args) => plot::execute(&args),
        Command::Export(args) => export::execute(&args),
        Command::Diff(args) => diff::execute(&args),
        Command::Merge(args) => merge::execute(&args),
        Command::Dump(args) => dump::execute(&args),
        Command::Load(args) => load::execute(&args),
        Command::Calibrate(args) => calibrate::execute(&args, root),
        Command::List(args) => machine::list(&args, &root),
        Command::Doctor(args) => machine::doctor(&args, &root),
        Command::Completions { shell } => complete::execute(shell),
        Command::Man { directory } => man::execute(directory.as_deref()),
    }
}
