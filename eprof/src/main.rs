//! The `eprof` command: parse, execute, exit code.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use eprof::cli::{self, args::Cli};
use eprof::harmless::{escaped_lines, hostile};
use eprof::host::elevation;
use eprof::kernel::loader::object;
use eprof::launch::signal::survive_file_size_limit;
use eprof::symbol;

fn main() -> ExitCode {
    signal_stack::restore();
    // Before anything is opened, and while there is one thread: a helper, too, is
    // started by whoever likes, and must not have what its caller has not.
    let ignored = match elevation::settle() {
        Ok(ignored) => ignored,
        Err(error) => return cli::not_settled(&error),
    };
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
            cli::complain(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Threads without a stack of their own for signals.
///
/// Rust's runtime gives each thread such a stack, to be able to say that the thread's
/// ordinary one overflowed, and aborts where there is no memory for it
/// (`library/std/src/sys/pal/unix/stack_overflow.rs`): a measurement would end, and its
/// target be left behind, for the sake of a message. It does not where SIGSEGV and
/// SIGBUS have another action than the default when it begins. So they have, until
/// `main` gives them back what they had.
#[expect(
    unsafe_code,
    reason = "runs before the runtime, and sets actions of signals"
)]
mod signal_stack {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;

    /// The signals that the runtime looks at.
    const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

    /// Whether each had its default action.
    static WERE_DEFAULT: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

    /// What the C library calls before the runtime begins.
    #[used]
    // SAFETY: the section is an array of such functions (System V ABI, gABI 5).
    #[unsafe(link_section = ".init_array")]
    static BEFORE_THE_RUNTIME: extern "C" fn() = ignore;

    extern "C" fn ignore() {
        for (signal, was_default) in SIGNALS.iter().zip(&WERE_DEFAULT) {
            // SAFETY: no code of ours runs when the signal comes; a fault ends the process
            // although it is ignored.
            let before = unsafe { libc::signal(*signal, libc::SIG_IGN) };
            was_default.store(before == libc::SIG_DFL, Relaxed);
        }
    }

    /// Gives the signals their default actions back, if they had them.
    pub(crate) fn restore() {
        for (signal, was_default) in SIGNALS.iter().zip(&WERE_DEFAULT) {
            if was_default.load(Relaxed) {
                // SAFETY: as above.
                unsafe { libc::signal(*signal, libc::SIG_DFL) };
            }
        }
    }
}
