//! Signals for all processes of the target.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cgroup::Cgroup;
use super::spawn::Child;

/// How often new descendants are looked for; each round finds only what was
/// forked during the one before.
const ROUNDS: u32 = 1000;

/// How often processes are looked for that were forked while others were asked.
const ASKED_ROUNDS: u32 = 16;

/// Sends `signal` to `child`, then to all in `cgroup`, or without one to its
/// descendants. Those that are stopped go on, so that it reaches them.
///
/// # Errors
///
/// `EPERM` where the root may not be signalled.
pub(super) fn ask_tree(
    child: &Child,
    cgroup: Option<&Cgroup>,
    signal: Signal,
) -> Result<(), Errno> {
    // Before the others: a shell must not go on with its next command.
    child.signal(signal)?;
    child.signal(Signal::SIGCONT)?;
    let mut asked = BTreeSet::from([child.pid()]);
    for _ in 0..ASKED_ROUNDS {
        let found = match cgroup {
            Some(cgroup) => cgroup.processes(),
            None => descendants(child.pid(), &parents()),
        };
        let new: Vec<_> = found.difference(&asked).copied().collect();
        if new.is_empty() {
            break;
        }
        for pid in new {
            // Zero is one that this PID namespace has no number for.
            if let Some(pid) = i32::try_from(pid).ok().filter(|pid| *pid > 0) {
                // It may have ended meanwhile, or belong to another user.
                let _ = kill(Pid::from_raw(pid), signal);
                let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
            }
            asked.insert(pid);
        }
    }
    Ok(())
}

/// Kills `child` and its descendants, as far as they can be found: one whose
/// parent has ended was handed to init and is nobody's descendant any more.
///
/// The root is stopped first, so that it starts nothing new meanwhile.
///
/// # Errors
///
/// `EPERM` where the root may not be signalled.
pub(super) fn kill_tree(child: &Child) -> Result<(), Errno> {
    child.signal(Signal::SIGSTOP)?;
    let mut killed = BTreeSet::new();
    for _ in 0..ROUNDS {
        let found = descendants(child.pid(), &parents());
        let new: Vec<_> = found.difference(&killed).copied().collect();
        if new.is_empty() {
            break;
        }
        for pid in new {
            if let Ok(pid) = pid.try_into() {
                // It may have ended meanwhile, or belong to another user.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            killed.insert(pid);
        }
    }
    child.signal(Signal::SIGKILL)
}

/// Each process and its parent, by `/proc/PID/stat`.
fn parents() -> BTreeMap<u32, u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    entries
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, parent(&stat)?))
        })
        .collect()
}

/// The fourth field, counted from behind the name, which may hold spaces and
/// parentheses.
fn parent(stat: &[u8]) -> Option<u32> {
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// All that descend from `root`, without itself.
fn descendants(root: u32, parents: &BTreeMap<u32, u32>) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut generation = BTreeSet::from([root]);
    while !generation.is_empty() {
        generation = parents
            .iter()
            .filter(|(pid, parent)| generation.contains(parent) && !found.contains(*pid))
            .map(|(pid, _)| *pid)
            .filter(|pid| *pid != root)
            .collect();
        found.extend(&generation);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_are_found_at_any_depth_and_others_are_not() {
        let parents = BTreeMap::from([(1, 0), (10, 1), (11, 10), (12, 11), (13, 10), (20, 1)]);
        assert_eq!(descendants(10, &parents), BTreeSet::from([11, 12, 13]));
        assert_eq!(descendants(12, &parents), BTreeSet::new());
        assert_eq!(descendants(99, &parents), BTreeSet::new());
    }

    #[test]
    fn a_torn_view_of_proc_with_a_circle_ends() {
        // A process id that was reused between two reads can look like this.
        let parents = BTreeMap::from([(10, 12), (11, 10), (12, 11)]);
        assert_eq!(descendants(10, &parents), BTreeSet::from([11, 12]));
    }

    #[test]
    fn a_name_cannot_pass_for_a_parent() {
        assert_eq!(parent(b"7 (a) S 99 (b) S 3 7"), Some(3));
        assert_eq!(parent(b"7 (sh) S 3 7"), Some(3));
        assert_eq!(parent(b"7 (sh) S"), None);
    }
}
