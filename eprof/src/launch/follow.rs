//! How the target's process tree is followed: by a cgroup of its own, or,
//! where none can be made, by fork events.

use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::errno::Errno;

use super::cgroup::Cgroup;
use super::mountinfo::{cgroup_mounts, own_cgroup};
use super::sweep::sweep;
use crate::caveat::Caveat;

/// How the process tree of the target is told from the rest.
#[derive(Debug)]
pub enum Follow {
    /// By membership of a cgroup; no process escapes by double fork or setsid.
    Cgroup(Cgroup),
    /// By fork events from the root process on, and why. What the target
    /// starts is seen just the same; but of processes that outlive the root
    /// there is no list, and one whose parent has ended cannot be killed with
    /// the rest.
    Fork(Caveat),
}

impl Follow {
    /// The cgroup, where there is one.
    pub fn cgroup(&self) -> Option<&Cgroup> {
        match self {
            Self::Cgroup(cgroup) => Some(cgroup),
            Self::Fork(_) => None,
        }
    }
}

/// Makes a cgroup for the target below the caller's own, after clearing what
/// dead runs left there. That there can be none is no failure.
pub fn follow() -> Follow {
    match own_directory() {
        Ok(own) => follow_below(&own),
        Err(sentence) => Follow::Fork(obstacle(
            sentence,
            "mount it with 'mount -t cgroup2 none /sys/fs/cgroup', or in a container run with \
             '--cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw'",
        )),
    }
}

/// As [`follow`], below the cgroup directory `own`.
pub fn follow_below(own: &Path) -> Follow {
    let swept = sweep(own);
    match Cgroup::create(own) {
        Ok(cgroup) => Follow::Cgroup(cgroup.with_swept(swept)),
        Err(error) => Follow::Fork(refusal(own, &error)),
    }
}

/// The directory of the caller's own cgroup; checked by finding ourselves in
/// its list, since namespaces and bind mounts can make names lie.
///
/// # Errors
///
/// One sentence that says why there is none.
pub fn own_directory() -> Result<PathBuf, String> {
    let read = |path: &str| fs::read(path).map_err(|error| format!("cannot read {path}: {error}"));
    let mounts = cgroup_mounts(&read("/proc/self/mountinfo")?);
    if mounts.is_empty() {
        return Err("cgroup v2 is not mounted".to_owned());
    }
    let own = own_cgroup(&read("/proc/self/cgroup")?)
        .ok_or("the kernel names no cgroup v2 for this process")?;
    mounts
        .iter()
        .filter_map(|mount| mount.directory(&own))
        .find(|directory| contains_us(directory))
        .ok_or_else(|| {
            format!(
                "the cgroup {} of this process is not visible below any cgroup v2 mount",
                own.display()
            )
        })
}

fn contains_us(directory: &Path) -> bool {
    let us = std::process::id().to_string();
    fs::read_to_string(directory.join("cgroup.procs"))
        .is_ok_and(|list| list.lines().any(|pid| pid == us))
}

/// Why no cgroup could be made below `own`, and what helps.
fn refusal(own: &Path, error: &io::Error) -> Caveat {
    let sentence = format!("cannot make a cgroup below {}: {error}", own.display());
    let remedy = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EROFS) => {
            "make it writable: in a container run with '--privileged', or with \
             '--cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw'"
        }
        Some(Errno::EACCES | Errno::EPERM) => {
            "run eprof where the cgroup is delegated to you: \
             'systemd-run --user --scope -p Delegate=yes eprof run -- …', or with sudo"
        }
        Some(Errno::EAGAIN) => {
            "raise cgroup.max.descendants or cgroup.max.depth of an ancestor, or remove cgroups"
        }
        _ => {
            "run eprof from an ordinary cgroup: \
             'systemd-run --scope -p Delegate=yes eprof run -- …'"
        }
    };
    obstacle(sentence, remedy)
}

fn obstacle(sentence: String, remedy: &str) -> Caveat {
    Caveat::new(
        "no-cgroup",
        format!("{sentence}; the target is followed by its fork events instead"),
    )
    .hint(remedy)
}
