//! What eprof says on standard error, which nobody may be reading.
//!
//! A full disk or a closed terminal there is no reason to end: `eprintln!` would.

use std::fmt;
use std::io::{self, Write as _};

use crate::error::Error;

/// Writes a line to standard error, if that can be written.
pub(super) fn say(line: impl fmt::Display) {
    // There is no other place to tell it.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Says what went wrong, and what to do about it.
pub fn complain(error: &Error) {
    say(format_args!("error: {error}"));
    if let Some(hint) = error.given_hint() {
        say(format_args!("hint: {hint}"));
    }
}
