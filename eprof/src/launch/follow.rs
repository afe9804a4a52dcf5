//! How the target's process tree is followed: by a cgroup of its own, or,
//! where none can be made, by fork events.

use std::io;
use std::path::Path;

use nix::errno::Errno;

use tracing::debug;

use super::cgroup::Cgroup;
use super::sweep::sweep;
use crate::caveat::Caveat;
use crate::host::own_cgroup;

/// How the process tree of the target is distinguished from the rest.
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
    match own_cgroup::directory() {
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
    debug!(
        removed = swept.removed,
        live = swept.live,
        left = swept.left.len(),
        "cleared cgroups of dead runs"
    );
    match Cgroup::create(own) {
        Ok(cgroup) => {
            debug!(path = ?cgroup.path(), "made a cgroup");
            Follow::Cgroup(cgroup.with_swept(swept))
        }
        Err(error) => {
            debug!(below = ?own, %error, "made no cgroup");
            Follow::Fork(refusal(own, &error))
        }
    }
}

/// Why no cgroup could be made below `own`, with a hint.
fn refusal(own: &Path, error: &io::Error) -> Caveat {
    let sentence = format!("cannot make a cgroup below {}: {error}", own.display());
    let hint = match error.raw_os_error().map(Errno::from_raw) {
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
    obstacle(sentence, hint)
}

fn obstacle(sentence: String, hint: &str) -> Caveat {
    Caveat::new(
        "no-cgroup",
        format!("{sentence}; the target is followed by its fork events instead"),
    )
    .hint(hint)
}
