//! The cgroup of one run: made below the caller's own, held by a lock, and
//! removed at the end.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::clear::{CLEAR_TIMEOUT, Cleared, clear, is_populated, processes_below, wait_for_change};
use super::lock::try_lock;
use super::run_name::RunName;
use super::sweep::Swept;
use crate::clock::now;
use crate::unit::Nanos;

/// How many names are tried before giving up: one more than sweepers and
/// earlier runs of this process can plausibly take away.
const ATTEMPTS: u32 = 64;

/// The mode of the directory: the target, which may be another user's, can read
/// the files in it by name. But only who owns it can open it and so hold the lock
/// of a dead run, which would never be cleared then.
const SEARCHED: u32 = 0o711;

/// A fresh cgroup below the caller's own, for one run.
///
/// As long as this lives it holds an exclusive `flock` on the directory: that
/// distinguishes a live run from a dead one across PID namespaces, and the kernel
/// gives it up however the run ends. Dropping it removes the cgroup.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    parent: PathBuf,
    directory: File,
    swept: Swept,
    removed: bool,
}

/// What became of a cgroup at the end of its run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Processes of the target that still ran and were moved to the caller's
    /// own cgroup.
    pub moved: usize,
    /// Why the cgroup is still there, where it is; the next run clears it.
    pub left: Option<String>,
}

impl Cgroup {
    /// Makes a cgroup below `parent`, a directory of a cgroup v2 mount.
    ///
    /// # Errors
    ///
    /// What the kernel said: `EACCES` without write access, `EROFS` on a
    /// read-only mount, `EAGAIN` at `cgroup.max.descendants`, and
    /// `EOPNOTSUPP` where the cgroup cannot take processes because an
    /// ancestor is threaded.
    pub fn create(parent: &Path) -> io::Result<Self> {
        // Moving into a child needs write access to the common ancestor's
        // list of processes, which is the parent's (cgroup-v2.rst,
        // "Delegation Containment").
        OpenOptions::new()
            .write(true)
            .open(parent.join("cgroup.procs"))?;
        for _ in 0..ATTEMPTS {
            let path = parent.join(RunName::next()?.to_string());
            match DirBuilder::new().mode(SEARCHED).create(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            match Self::lock(&path) {
                // A sweeper looked at it, or one of another PID namespace
                // took it for dead, before the lock was ours.
                Ok(None) => {
                    let _ = fs::remove_dir(&path);
                }
                Ok(Some(directory)) => {
                    let cgroup = Self {
                        path,
                        parent: parent.to_owned(),
                        directory,
                        swept: Swept::default(),
                        removed: false,
                    };
                    cgroup.takes_processes()?;
                    return Ok(cgroup);
                }
                Err(error) => {
                    // It has no process yet; were this to fail, the next
                    // sweep finds it.
                    let _ = fs::remove_dir(&path);
                    return Err(error);
                }
            }
        }
        Err(io::Error::from(ErrorKind::AlreadyExists))
    }

    /// Locks the directory at `path`; `None` where it is gone or taken.
    fn lock(path: &Path) -> io::Result<Option<File>> {
        let Some(lock) = try_lock(path)? else {
            return Ok(None);
        };
        match fs::metadata(path) {
            Ok(now) if now.ino() == lock.metadata()?.ino() => Ok(Some(lock)),
            _ => Ok(None),
        }
    }

    fn takes_processes(&self) -> io::Result<()> {
        let kind = fs::read_to_string(self.path.join("cgroup.type"))?;
        match kind.trim() {
            "domain" => Ok(()),
            other => Err(io::Error::new(
                ErrorKind::Unsupported,
                format!("a new cgroup there is of type '{other}'"),
            )),
        }
    }

    /// Remembers what a sweep before this run found.
    pub(super) fn with_swept(mut self, swept: Swept) -> Self {
        self.swept = swept;
        self
    }

    /// What the sweep before this run cleared.
    pub fn swept(&self) -> &Swept {
        &self.swept
    }

    /// The directory, for maps and perf events that take a cgroup by its
    /// file descriptor.
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Where the cgroup is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The id that the kernel gives it (`bpf_get_current_cgroup_id`), which
    /// is the inode number of the directory.
    ///
    /// # Errors
    ///
    /// Where the directory cannot be looked at.
    pub fn id(&self) -> io::Result<u64> {
        Ok(self.directory.metadata()?.ino())
    }

    /// CPU time that the cgroup used so far by the scheduler's own account
    /// (`usage_usec` of `cpu.stat`, which needs no controller): a check on
    /// what was accounted. `None` where the kernel does not say.
    pub fn cpu_time(&self) -> Option<Nanos> {
        let text = fs::read_to_string(self.path.join("cpu.stat")).ok()?;
        let micros = text.lines().find_map(|line| {
            let value = line.strip_prefix("usage_usec ")?;
            value.parse::<u64>().ok()
        })?;
        Some(Nanos(micros.checked_mul(1000)?))
    }

    /// The processes in the cgroup and all below it, as far as this PID
    /// namespace can name them.
    pub fn processes(&self) -> BTreeSet<u32> {
        let mut all = BTreeSet::new();
        processes_below(&self.path, &mut all);
        all
    }

    /// Kills every process in the cgroup and below with SIGKILL, and waits
    /// until they are gone.
    ///
    /// `cgroup.kill` (Linux 5.14) does it at once and safe against forks;
    /// older kernels are asked process by process until none is left.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses, or processes neither die nor stop to fork.
    pub fn kill(&self) -> io::Result<()> {
        let whole = OpenOptions::new()
            .write(true)
            .open(self.path.join("cgroup.kill"))
            .and_then(|mut file| file.write_all(b"1"));
        let each = match whole {
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            other => {
                other?;
                false
            }
        };
        let until = now() + Nanos::from(CLEAR_TIMEOUT);
        while is_populated(&self.path) {
            if now() > until {
                return Err(io::Error::from(ErrorKind::TimedOut));
            }
            if each {
                self.kill_each();
            }
            wait_for_change(&self.path);
        }
        Ok(())
    }

    fn kill_each(&self) {
        let processes = self.processes().into_iter();
        for pid in processes.filter_map(|pid| pid.try_into().ok()) {
            // A process that ended meanwhile is what was wanted.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// Moves processes that still run to the caller's own cgroup and removes
    /// this one with all below it.
    pub fn remove(mut self) -> Removal {
        self.take_away()
    }

    fn take_away(&mut self) -> Removal {
        self.removed = true;
        // What the end of the root process takes along may still be exiting,
        // and is not to be counted as running.
        if is_populated(&self.path) {
            wait_for_change(&self.path);
        }
        let Cleared { moved, left } = clear(&self.path, &self.parent);
        Removal { moved, left }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if !self.removed {
            let _ = self.take_away();
        }
    }
}
