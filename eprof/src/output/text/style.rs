//! How wide, and with which decoration, text may be written.

use std::io::{IsTerminal, Stderr, Stdout};
use std::os::fd::AsFd;

/// Columns for output that is not a terminal: wide enough for most names,
/// narrow enough to read in a log.
const PLAIN_WIDTH: usize = 120;

/// The style of text output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns that lines may take.
    pub width: usize,
    /// Whether colours and bold type may be used.
    pub colour: bool,
    /// Whether rules and bars may be drawn.
    pub rules: bool,
}

impl Style {
    /// No decoration at all, for pipes and files.
    pub const PLAIN: Self = Self {
        width: PLAIN_WIDTH,
        colour: false,
        rules: false,
    };

    /// What suits standard output as it is now.
    pub fn of_stdout(stdout: &Stdout) -> Self {
        Self::of(stdout)
    }

    /// What suits standard error as it is now.
    pub fn of_stderr(stderr: &Stderr) -> Self {
        Self::of(stderr)
    }

    fn of<S: IsTerminal + AsFd>(stream: &S) -> Self {
        if !stream.is_terminal() {
            return Self::PLAIN;
        }
        let width = terminal_size::terminal_size_of(stream).map_or(80, |(width, _)| width.0);
        Self {
            // Some terminals (serial lines, new ptys) claim to be 0 wide.
            width: if width == 0 { 80 } else { width.into() },
            colour: colours_wanted(
                std::env::var_os("NO_COLOR").as_deref(),
                std::env::var_os("TERM").as_deref(),
            ),
            rules: true,
        }
    }

    /// Bold, where colours may be used.
    pub(in crate::output) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Dim, where colours may be used.
    pub(in crate::output) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Yellow, where colours may be used.
    pub(in crate::output) fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Whether a terminal should be written to in colour: not when `NO_COLOR` is
/// set and not empty (<https://no-color.org>), nor when `TERM` is `dumb`.
fn colours_wanted(no_color: Option<&std::ffi::OsStr>, term: Option<&std::ffi::OsStr>) -> bool {
    no_color.is_none_or(|value| value.is_empty()) && term.is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn no_color_wins_unless_it_is_empty() {
        let xterm = Some(OsStr::new("xterm"));
        assert!(colours_wanted(None, xterm));
        assert!(colours_wanted(Some(OsStr::new("")), xterm));
        assert!(!colours_wanted(Some(OsStr::new("0")), xterm));
        assert!(!colours_wanted(None, Some(OsStr::new("dumb"))));
    }
}
