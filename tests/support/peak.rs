//! What a command takes.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use super::eprof;

/// How an eprof command in `directory` ended, what it said on standard error, and its
/// peak resident set in KiB (wait4(2)). What it prints is thrown away.
#[allow(
    clippy::zombie_processes,
    reason = "it is waited for by wait4, which tells what it used"
)]
pub(crate) fn peak(arguments: &[&str], directory: &Path) -> (ExitStatus, String, i64) {
    let said = tempfile::NamedTempFile::new().unwrap();
    let child = Command::new(eprof())
        .args(arguments)
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(File::create(said.path()).unwrap())
        .spawn()
        .unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let mut status = 0;
    // SAFETY: all zeroes is a valid rusage; the pointers are to live values, and
    // nobody else waits for this child.
    let (waited, usage) = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        (libc::wait4(pid, &raw mut status, 0, &raw mut usage), usage)
    };
    assert_eq!(waited, pid);
    let said = String::from_utf8_lossy(&std::fs::read(said.path()).unwrap()).into_owned();
    (ExitStatus::from_raw(status), said, usage.ru_maxrss)
}
