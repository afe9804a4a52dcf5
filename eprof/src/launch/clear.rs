//! Emptying a cgroup and removing it, with all that the target made below.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::run_name::{RunName, is_live};
use crate::clock::now;
use crate::unit::Nanos;

/// How long eprof waits for a busy cgroup, or for processes that were killed.
/// Exiting processes leave within milliseconds. What forks faster than it can be
/// moved never leaves.
pub(super) const CLEAR_TIMEOUT: Duration = Duration::from_secs(2);

/// How long one wait for a change of the cgroup lasts at most.
const PAUSE_MILLIS: u8 = 20;

/// The outcome of [`clear`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleared {
    /// Processes that were moved away.
    pub(super) moved: usize,
    /// Why the cgroup is still there, where it is.
    pub(super) left: Option<String>,
}

/// Moves every process below `directory` to the cgroup `into`, then removes
/// `directory` and what is below it, bottom up. The cgroup of a live run
/// further below is left alone, and so is then what holds it.
pub(super) fn clear(directory: &Path, into: &Path) -> Cleared {
    let mut moved = BTreeSet::new();
    let until = now() + Nanos::from(CLEAR_TIMEOUT);
    let left = loop {
        let outcome =
            move_processes(directory, into, &mut moved).and_then(|()| remove_tree(directory));
        match outcome {
            Ok(()) => break None,
            Err(error) if may_pass(&error) && now() < until => wait_for_change(directory),
            Err(error) => break Some(format!("{} stays: {error}", directory.display())),
        }
    };
    Cleared {
        moved: moved.len(),
        left,
    }
}

/// `EBUSY`: a process came back or is still exiting; `ENOTEMPTY`: a cgroup
/// was made meanwhile.
fn may_pass(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ResourceBusy | ErrorKind::DirectoryNotEmpty
    )
}

/// Adds the processes in `directory` and below to `found`. Unreadable lists
/// count as empty: a threaded cgroup has none of its own, its processes stand
/// in the list of the domain above it.
pub(super) fn processes_below(directory: &Path, found: &mut BTreeSet<u32>) {
    found.extend(processes_in(directory));
    for child in children(directory) {
        processes_below(&child, found);
    }
}

fn processes_in(directory: &Path) -> Vec<u32> {
    fs::read_to_string(directory.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.parse().ok())
        // 0 stands for a process outside our PID namespace, and means
        // "myself" when it is written back.
        .filter(|&pid| pid != 0)
        .collect()
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn move_processes(directory: &Path, into: &Path, moved: &mut BTreeSet<u32>) -> io::Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    let mut list = OpenOptions::new()
        .write(true)
        .open(into.join("cgroup.procs"))?;
    move_tree(directory, &mut list, moved)
}

fn move_tree(directory: &Path, list: &mut File, moved: &mut BTreeSet<u32>) -> io::Result<()> {
    for pid in processes_in(directory) {
        match list.write_all(pid.to_string().as_bytes()) {
            Ok(()) => {
                moved.insert(pid);
            }
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => {}
            Err(error) => return Err(error),
        }
    }
    for child in children(directory) {
        if holds_live_run(&child) {
            return Err(io::Error::other("another eprof still runs below it"));
        }
        move_tree(&child, list, moved)?;
    }
    Ok(())
}

/// Whether `directory` or something below it is the cgroup of a run that
/// still goes on (eprof under eprof).
pub(super) fn holds_live_run(directory: &Path) -> bool {
    let named = directory.file_name().and_then(RunName::parse);
    named.is_some_and(|name| is_live(directory, name))
        || children(directory)
            .iter()
            .any(|child| holds_live_run(child))
}

fn remove_tree(directory: &Path) -> io::Result<()> {
    for child in children(directory) {
        remove_tree(&child)?;
    }
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Whether a process that is no zombie is in `directory` or below; false
/// where the kernel does not say.
pub(super) fn is_populated(directory: &Path) -> bool {
    fs::read_to_string(directory.join("cgroup.events"))
        .is_ok_and(|events| events.contains("populated 1"))
}

/// Waits until `cgroup.events` of `directory` changes (the kernel raises
/// POLLPRI when the last process leaves), but not for long.
pub(super) fn wait_for_change(directory: &Path) {
    let events = File::open(directory.join("cgroup.events")).and_then(|mut file| {
        // The poll reports changes since this read.
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok((file, text.contains("populated 1")))
    });
    let timeout = PollTimeout::from(PAUSE_MILLIS);
    // An interrupted or failed wait only means an earlier next attempt.
    let _ = match &events {
        Ok((file, true)) => poll(
            &mut [PollFd::new(file.as_fd(), PollFlags::POLLPRI)],
            timeout,
        ),
        _ => poll(&mut [], timeout),
    };
}
