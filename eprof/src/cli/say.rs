//! What eprof says on standard error, which nobody may be reading.
//!
//! A full disk or a closed terminal there is no reason to end: `eprintln!` would.

use std::fmt;
use std::io::{self, Write as _};

use crate::error::Error;
use crate::harmless::escaped_lines;

/// Writes a line to standard error, if that can be written. What it quotes is made
/// harmless; it may have lines of its own.
pub(super) fn say(line: impl fmt::Display) {
    let line = format!("{line}\n");
    // There is no other place to tell it.
    let _ = io::stderr().write_all(escaped_lines(&line).as_bytes());
}

/// Says what went wrong, and what to do about it.
pub fn complain(error: &Error) {
    say(format_args!("error: {error}"));
    if let Some(hint) = error.given_hint() {
        say(format_args!("hint: {hint}"));
    }
}
