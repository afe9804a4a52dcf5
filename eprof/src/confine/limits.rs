//! What a helper gives up, first of all.
#![expect(unsafe_code, reason = "close_range(2) has no safe wrapper")]

use std::fs;
use std::io;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, getppid, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::filter;
use crate::host::elevation;
use crate::host::thread_caps::ThreadCaps;

/// How many files a helper may have open.
const MOST_FILES: u64 = 256;

/// Whom a helper becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    /// User id.
    pub(crate) uid: u32,
    /// Primary group.
    pub(crate) gid: u32,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
}

/// What a helper may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounds {
    /// Whom it becomes; `None`: it stays who it is, without capabilities.
    pub(crate) person: Option<Person>,
    /// The process that started it, with which it ends.
    pub(crate) parent: i32,
    /// The most memory of its own, in bytes; files that are mapped do not count.
    pub(crate) memory: u64,
    /// The largest file that it may write, in bytes; those in memory count.
    pub(crate) file: u64,
    /// Seconds of CPU time in all.
    pub(crate) cpu: u64,
    /// Whether it may use the network, start threads, and write files: everything that
    /// the person may.
    pub(crate) network: bool,
}

/// To be called by a helper before all else: gives up what eprof's file gave it, for
/// its word can be typed by anybody, and closes the files that it got by chance.
///
/// # Errors
///
/// Where the kernel takes no privileges away.
pub(crate) fn begin() -> io::Result<()> {
    elevation::give_up()?;
    // SAFETY: a helper has the standard streams only, and nothing was opened yet.
    // Where the call is not known (before Linux 5.9), they stay open, out of the
    // reach of whoever cannot name them.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    Ok(())
}

impl Bounds {
    /// Keeps this process, which must have one thread, within them for good.
    ///
    /// # Errors
    ///
    /// Where something that must be given up could not be. Layers that a kernel may
    /// lack are left out where it does.
    pub(crate) fn enforce(&self) -> io::Result<()> {
        // The first to go where memory runs out. Anybody may say so of themselves.
        let _ = fs::write("/proc/self/oom_score_adj", "1000");
        lower(Resource::RLIMIT_CORE, 0)?;
        lower(Resource::RLIMIT_NOFILE, MOST_FILES)?;
        lower(Resource::RLIMIT_DATA, self.memory)?;
        lower(Resource::RLIMIT_FSIZE, self.file)?;
        lower(Resource::RLIMIT_CPU, self.cpu)?;
        prctl::set_no_new_privs()?;
        if let Some(person) = &self.person {
            let groups: Vec<Gid> = person.groups.iter().copied().map(Gid::from_raw).collect();
            let (user, group) = (Uid::from_raw(person.uid), Gid::from_raw(person.gid));
            // The user last: only root may change the groups.
            setgroups(&groups)?;
            setresgid(group, group, group)?;
            setresuid(user, user, user)?;
        }
        ThreadCaps::default().set()?;
        // Otherwise others of the same user could make it say what they like.
        prctl::set_dumpable(false)?;
        // After the change of the user, which takes it back.
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid().as_raw() != self.parent {
            return Err(io::Error::other("whoever asked is gone"));
        }
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        if !self.network {
            filter::apply()?;
        }
        Ok(())
    }
}

/// Lowers a limit; it is never raised.
fn lower(resource: Resource, to: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let to = to.min(hard);
    setrlimit(resource, to, to)?;
    Ok(())
}
