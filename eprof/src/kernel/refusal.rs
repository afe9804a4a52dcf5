//! What it means that the kernel refused something, as a sentence for the user.

use std::fmt::Write as _;
use std::io;

use super::verifier_log::{VerifierLog, last_lines};
use crate::error::{Error, ErrorKind, is_without_files};
use crate::host::caps::Capability;
use crate::host::kernel::OLDEST;
use crate::host::remedy::{self, Asked, Place};
use crate::host::{Kernel, SysRoot};

/// A program that the kernel did not take.
#[derive(Debug)]
pub(in crate::kernel) struct RefusedProgram {
    /// What it answered.
    pub(in crate::kernel) error: io::Error,
    /// What its verifier said; `None` where it did not come to that.
    pub(in crate::kernel) log: Option<String>,
}

impl From<io::Error> for RefusedProgram {
    fn from(error: io::Error) -> Self {
        Self { error, log: None }
    }
}

/// What it means that the kernel refused something.
pub(in crate::kernel) fn refusal(doing: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    let mut cause = Some(error);
    let mut errno = None;
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            // That no more files can be open explains all else.
            errno = match is_without_files(io) {
                true => io.raw_os_error(),
                false => errno.or(io.raw_os_error()),
            };
        }
        cause = error.source();
    }
    explained(&format!("{doing}: {}", chain(error)), errno, false, "")
}

/// The same for a program: its first line ends with the verifier's reason, the
/// verifier's last lines follow, and its whole log goes to `keep`.
pub(in crate::kernel) fn refused_program(
    name: &str,
    refused: &RefusedProgram,
    keep: Option<&VerifierLog>,
) -> Error {
    // Who had no file left was not judged.
    let log = refused.log.as_ref();
    let Some(log) = log.filter(|_| !is_without_files(&refused.error)) else {
        return refusal(name, &refused.error);
    };
    let lines = last_lines(log);
    let mut what = format!("{name}: {}", refused.error);
    if let Some(reason) = lines.last() {
        what = format!("{what}: {reason}");
    }
    let mut below = "\nthe last lines of the verifier's log:".to_owned();
    for line in &lines {
        below.push_str("\n  ");
        below.push_str(line);
    }
    if let Some(Err(error)) = keep.map(|keep| keep.write(name, log)) {
        // Writing to a string cannot fail.
        let _ = write!(below, "\nthe whole log cannot be written: {error}");
    }
    explained(&what, refused.error.raw_os_error(), true, &below)
}

/// An error in one line, for a sentence that goes on after it.
pub(in crate::kernel) fn in_one_line(error: &Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// What it means that the kernel answered `errno` to `what`, with what is told
/// `below`. To the capable, what the verifier `judged` is no matter of permission.
fn explained(what: &str, errno: Option<i32>, judged: bool, below: &str) -> Error {
    let place = Place::here();
    let has = |capability| place.privileges.has(capability);
    let capable = has(Capability::Bpf) && has(Capability::Perfmon);
    let remedy = remedy::of(Asked::Programs, errno, &place);
    if let Some(remedy) = remedy.filter(|_| !judged || !capable || place.is_locked_down()) {
        let failed = match remedy.permission {
            true => "the kernel does not allow eprof to load its programs",
            false => "eprof's programs cannot be loaded",
        };
        let sentence = format!("{failed}: {} ({what}){below}", remedy.cause);
        return Error::new(remedy.kind(), sentence).hint(remedy.hint);
    }
    let refused = Error::new(
        ErrorKind::Unavailable,
        format!("the kernel refused eprof's programs ({what}){below}"),
    );
    if Kernel::read(&SysRoot::machine()).is_too_old() {
        let (major, minor) = OLDEST;
        return refused.hint(format!("eprof needs Linux {major}.{minor} or newer"));
    }
    refused.hint("`eprof doctor` says what this kernel lacks")
}

/// An error and its causes, each once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text.lines().next().unwrap_or_default().to_owned()
}
