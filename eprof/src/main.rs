//! The `eprof` command: parse, execute, exit code.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use eprof::cli::{self, args::Cli};
use eprof::kernel::loader::object;
use eprof::launch::signal::survive_file_size_limit;
use eprof::symbol;

fn main() -> ExitCode {
    if let Some(code) = symbol::serve_if_asked() {
        return ExitCode::from(code);
    }
    survive_file_size_limit();
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
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match cli::execute(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            cli::complain(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}
