//! What it means that the kernel refused something, as a sentence for the user.

use std::fmt::Write as _;
use std::io;

use super::verifier_log::{VerifierLog, last_lines};
use crate::error::{Error, ErrorKind, FILES_HINT, is_without_files};
use crate::host::kernel::OLDEST;
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
    let mut without_files = false;
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            errno = errno.or(io.raw_os_error());
            without_files |= is_without_files(io);
        }
        cause = error.source();
    }
    let what = format!("{doing}: {}", chain(error));
    if without_files {
        let sentence = format!("eprof's programs cannot be loaded ({what})");
        return Error::new(ErrorKind::Unavailable, sentence).hint(FILES_HINT);
    }
    explained(&what, errno.is_some(), "")
}

/// The same for a program: its first line ends with the verifier's reason, the
/// verifier's last lines follow, and its whole log goes to `keep`.
pub(in crate::kernel) fn refused_program(
    name: &str,
    refused: &RefusedProgram,
    keep: Option<&VerifierLog>,
) -> Error {
    let Some(log) = &refused.log else {
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
    explained(&what, true, &below)
}

/// An error in one line, for a sentence that goes on after it.
pub(in crate::kernel) fn in_one_line(error: &Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// What it means that the kernel refused `what`, with what is told `below`. Only
/// where the kernel itself `answered`, a capability can be what was missing.
fn explained(what: &str, answered: bool, below: &str) -> Error {
    // Not only EPERM: before it looks at capabilities, the kernel refuses maps
    // whose types it was not allowed to be told.
    if answered && !is_root_enough() {
        return Error::new(
            ErrorKind::Permission,
            format!("the kernel does not allow eprof to load its programs ({what}){below}"),
        )
        .hint(
            "run eprof with sudo, or give it the two capabilities it needs: \
             sudo setcap cap_bpf,cap_perfmon+ep \"$(command -v eprof)\"",
        );
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

/// Whether the capabilities CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN, which
/// includes them) are effective, so that a refusal has another cause.
fn is_root_enough() -> bool {
    const SYS_ADMIN: u32 = 21;
    const PERFMON: u32 = 38;
    const BPF: u32 = 39;
    let Ok(status) = std::fs::read_to_string("/proc/thread-self/status") else {
        return false;
    };
    let effective = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok())
        .unwrap_or(0);
    let has = |capability: u32| effective >> capability & 1 == 1;
    has(SYS_ADMIN) || (has(PERFMON) && has(BPF))
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
