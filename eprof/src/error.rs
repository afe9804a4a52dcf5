//! What can go wrong, in one clear sentence plus a hint, and the exit codes
//! that tell scripts what it was.

use std::fmt;

use crate::harmless::escaped_lines;

/// The class of an error; each has a documented exit code.
///
/// The codes keep clear of a target's own: as `env`, `nice` and `timeout` do,
/// eprof uses 125 to 127 for its own failures around running a command, and
/// the `sysexits.h` range for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The command line makes no sense (exit 2, as clap does).
    Usage,
    /// A file given by the user is not what it should be (exit 65).
    Data,
    /// A file given by the user cannot be read or written (exit 66).
    Input,
    /// The machine lacks what this needs: kernel too old, no meter (exit 69).
    Unavailable,
    /// An error inside eprof, or an unexpected answer of the kernel (exit 70).
    Internal,
    /// Permission is missing; the hint says which (exit 77).
    Permission,
    /// The target could not be run (exit 126).
    CannotRun,
    /// The target was not found (exit 127).
    NotFound,
}

impl ErrorKind {
    /// The process exit code of this class.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Data => 65,
            Self::Input => 66,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Permission => 77,
            Self::CannotRun => 126,
            Self::NotFound => 127,
        }
    }
}

/// What to do where a process has as many files open as it may. eprof has raised its
/// soft limit by then.
pub const FILES_HINT: &str = "ulimit -n limits the files that may be open, and eprof needs some for \
     each CPU: raise the hard limit as root (ulimit -Hn, LimitNOFILE= of a service)";

/// Whether an error says that no more files can be open.
pub fn is_without_files(error: &std::io::Error) -> bool {
    // EMFILE and ENFILE of asm-generic/errno-base.h.
    matches!(error.raw_os_error(), Some(23 | 24))
}

/// An error of eprof itself: a sentence, and what to do about it. Both quote
/// names of files and what was typed, so that they are made harmless.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    sentence: String,
    hint: Option<String>,
}

/// The result of anything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`, in one sentence without a final full stop.
    pub fn new(kind: ErrorKind, sentence: impl Into<String>) -> Self {
        Self {
            kind,
            sentence: escaped_lines(&sentence.into()).into_owned(),
            hint: None,
        }
    }

    /// Adds what to do about it: the exact line to type, or what to change.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(escaped_lines(&hint.into()).into_owned());
        self
    }

    /// Puts what was being done before the sentence.
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        let sentence = format!("{doing}: {}", self.sentence);
        self.sentence = escaped_lines(&sentence).into_owned();
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to do about it, where eprof knows.
    pub fn given_hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// An I/O error on `path`, with the class that fits its cause.
    pub fn io(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::PermissionDenied => ErrorKind::Permission,
            // Whatever file it was.
            _ if is_without_files(error) => ErrorKind::Internal,
            _ => ErrorKind::Input,
        };
        Self::new(kind, format!("cannot {doing} {}: {error}", path.display())).hint_at(error)
    }

    /// Adds what to do about `error`, its cause, if that is that no more files can be
    /// open.
    pub fn hint_at(self, error: &std::io::Error) -> Self {
        match is_without_files(error) {
            true => self.hint(FILES_HINT),
            false => self,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Error {}
