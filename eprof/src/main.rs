//! The `eprof` command: parse, execute, exit code.

use std::borrow::Cow;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use eprof::cli::{self, args::Cli};
use eprof::harmless::escaped_lines;
use eprof::host::elevation;
use eprof::kernel::loader::object;

fn main() -> ExitCode {
    // Before anything is opened, and while there is one thread.
    let ignored = match elevation::settle() {
        Ok(ignored) => ignored,
        Err(error) => return cli::not_settled(&error),
    };
    let version = format!(
        "{}\nkernel programs: {}",
        env!("CARGO_PKG_VERSION"),
        object::provenance()
    );
    let command = Cli::command()
        .version(env!("CARGO_PKG_VERSION"))
        .long_version(version);
    let parsed = command
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Printing fails only when nobody reads.
            let text = error.render().to_string();
            let _ = match escaped_lines(&text) {
                Cow::Borrowed(_) => error.print(),
                // What was typed is quoted: then without colours.
                Cow::Owned(harmless) => std::io::stderr().write_all(harmless.as_bytes()),
            };
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match cli::execute(cli, &ignored) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.given_hint() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}
