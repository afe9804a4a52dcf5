//! The `eprof` command: parse, execute, exit code.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use eprof::cli::{self, args::Cli};
use eprof::harmless::{escaped_lines, hostile};
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
            let typed = std::env::args_os();
            let is_hostile = |word: OsString| word.to_string_lossy().contains(hostile);
            let quotes = error.use_stderr() && typed.into_iter().any(is_hostile);
            let _ = match quotes {
                false => error.print(),
                // What was typed is quoted, which has no colours then.
                true => {
                    let text = error.render().to_string();
                    std::io::stderr().write_all(escaped_lines(&text).as_bytes())
                }
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
