//! What was typed, where eprof has privileges that its caller has not.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use super::args::{Cli, Command};
use super::say::say;
use crate::error::{Error, ErrorKind, Result};
use crate::harmless::escaped;
use crate::host::elevation;

/// Ends eprof, for its privileges cannot be put away.
pub fn not_settled(error: &io::Error) -> ExitCode {
    say(format_args!(
        "error: the capabilities of eprof's file cannot be put away: {error}"
    ));
    ExitCode::from(ErrorKind::Permission.exit_code())
}

/// Gives the file's privileges up for good where the command needs none; else
/// takes out what would widen what they reach. Says what is ignored; `ignored`
/// are variables that were, already.
///
/// # Errors
/// Where the kernel does not take privileges away.
pub(super) fn begin(cli: &mut Cli, ignored: &[OsString]) -> Result<()> {
    if !elevation::is_elevated() {
        return Ok(());
    }
    let mut names: Vec<String> = ignored
        .iter()
        .map(|name| escaped(&name.to_string_lossy()).into_owned())
        .collect();
    if cli.sysroot.take().is_some() {
        names.push("--sysroot".to_owned());
    }
    if needs_privileges(&cli.command) {
        if take_symbol_path(&mut cli.command) {
            names.push("--symbol-path".to_owned());
        }
    } else {
        elevation::give_up().map_err(|error| {
            let sentence = format!("the capabilities of eprof's file cannot be given up: {error}");
            Error::new(ErrorKind::Permission, sentence)
        })?;
    }
    if !names.is_empty() {
        let are = if names.len() == 1 { "is" } else { "are" };
        let names = names.join(", ");
        say(format_args!(
            "warning: {names} {are} ignored, because the file of eprof has capabilities that you \
             have not"
        ));
    }
    Ok(())
}

/// Whether a command asks the kernel for what its user may not have. One that is not
/// named here does not.
fn needs_privileges(command: &Command) -> bool {
    match command {
        Command::Run(_) | Command::Stat(_) | Command::List(_) | Command::Doctor(_) => true,
        Command::Calibrate(args) => args.from.is_none(),
        _ => false,
    }
}

/// Forgets where debug files are to be looked for; tells whether that was said.
fn take_symbol_path(command: &mut Command) -> bool {
    let symbols = match command {
        Command::Run(args) => &mut args.symbols,
        _ => return false,
    };
    !std::mem::take(&mut symbols.symbol_path).is_empty()
}
