//! The cgroup's end: what still runs in it, and what dead runs left.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use eprof::launch::run_name::RunName;
use eprof::launch::sweep::{Swept, sweep};
use eprof::launch::{Cgroup, Identity, prepare};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{cgroup, run, sh};

/// A process that lives until it is told to end, put into a cgroup.
struct Lodger(Child);

impl Lodger {
    fn in_cgroup(directory: &Path) -> Self {
        let child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let lodger = Self(child);
        fs::write(directory.join("cgroup.procs"), lodger.0.id().to_string()).unwrap();
        lodger
    }

    fn cgroup(&self) -> String {
        let text = fs::read_to_string(format!("/proc/{}/cgroup", self.0.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with("0::")).unwrap();
        line.trim_start_matches("0::").to_owned()
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Lodger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends processes that a test started and lost sight of.
fn end(processes: &BTreeSet<u32>) {
    for pid in processes {
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
    }
}

#[test]
fn nothing_is_left_of_an_ordinary_run() {
    let Some(cgroup) = cgroup() else { return };
    let path = cgroup.path().to_owned();
    assert_eq!(cgroup.id().unwrap(), {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(&path).unwrap().ino()
    });
    run(sh("/bin/true"), Some(&cgroup), &Identity::default());
    assert!(path.is_dir());
    let removal = cgroup.remove();
    assert_eq!((removal.moved, removal.left), (0, None));
    assert!(!path.exists());
}

#[test]
fn a_cgroup_that_is_dropped_is_gone_too() {
    let Some(cgroup) = cgroup() else { return };
    let path = cgroup.path().to_owned();
    drop(cgroup);
    assert!(!path.exists());
}

#[test]
fn two_runs_at_once_have_a_cgroup_each() {
    let (Some(one), Some(other)) = (cgroup(), cgroup()) else {
        return;
    };
    assert_ne!(one.path(), other.path());
    assert_ne!(one.id().unwrap(), other.id().unwrap());
}

#[test]
fn what_outlives_the_root_is_counted_and_moved_not_killed() {
    let Some(cgroup) = cgroup() else { return };
    let path = cgroup.path().to_owned();
    // One in the cgroup itself, one in a cgroup that the target made below,
    // one in a threaded cgroup, whose list of processes cannot be read.
    let script = format!(
        "cd '{}' && mkdir -p a/b c/t && echo threaded > c/t/cgroup.type
        exec > /dev/null
        sleep 1000 &
        sleep 1001 & echo $! > a/b/cgroup.procs
        sleep 1002 & echo $! > c/t/cgroup.procs",
        path.display()
    );
    assert_eq!(
        run(sh(&script), Some(&cgroup), &Identity::default()).code,
        0
    );
    let processes = cgroup.processes();
    assert_eq!(processes.len(), 3, "{processes:?}");
    let removal = cgroup.remove();
    let parent: BTreeSet<u32> = fs::read_to_string(path.parent().unwrap().join("cgroup.procs"))
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    let moved_up = processes.is_subset(&parent);
    end(&processes);
    assert_eq!((removal.moved, removal.left), (3, None));
    assert!(moved_up);
    assert!(!path.exists());
}

#[test]
fn a_process_that_forks_all_the_time_does_not_keep_the_cgroup() {
    let Some(cgroup) = cgroup() else { return };
    let path = cgroup.path().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let flag = directory.path().join("go-on");
    fs::write(&flag, "").unwrap();
    let script = format!(
        "(while [ -e '{}' ]; do /bin/true; done) > /dev/null 2>&1 &",
        flag.display()
    );
    run(sh(&script), Some(&cgroup), &Identity::default());
    let removal = cgroup.remove();
    drop(directory);
    assert_eq!(removal.left, None);
    assert!(removal.moved >= 1);
    assert!(!path.exists());
}

#[test]
fn the_root_need_not_be_reaped_first() {
    let Some(cgroup) = cgroup() else { return };
    let prepared = prepare(sh("exit 3"), Some(&cgroup), &Identity::default()).unwrap();
    let mut child = prepared.spawn().unwrap();
    child.release().unwrap();
    let removal = cgroup.remove();
    assert_eq!(removal.left, None);
    assert_eq!(child.reap().unwrap().code, 3);
}

#[test]
fn kill_reaches_the_whole_tree() {
    let Some(cgroup) = cgroup() else { return };
    let script = format!(
        "trap '' TERM INT HUP; mkdir '{0}/deep'; setsid sleep 1000 > /dev/null &
        echo $! > '{0}/deep/cgroup.procs'; wait",
        cgroup.path().display()
    );
    let prepared = prepare(sh(&script), Some(&cgroup), &Identity::default()).unwrap();
    let mut child = prepared.spawn().unwrap();
    child.release().unwrap();
    while cgroup.processes().len() < 2 {
        std::thread::yield_now();
    }
    cgroup.kill().unwrap();
    assert_eq!(child.reap().unwrap().code, 137);
    let removal = cgroup.remove();
    assert_eq!(removal.left, None);
}

#[test]
fn the_schedulers_own_account_of_the_cgroup_can_be_read() {
    let Some(cgroup) = cgroup() else { return };
    let before = cgroup.cpu_time().unwrap();
    let script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
    run(sh(script), Some(&cgroup), &Identity::default());
    assert!(cgroup.cpu_time().unwrap() > before);
}

/// A process id that nobody has: one of a process that we ourselves reaped.
fn dead_pid() -> u32 {
    let mut child = Command::new("/bin/true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// A cgroup as a dead run would leave it, below `parent`.
fn stale(parent: &Path) -> PathBuf {
    let name = RunName {
        pid: dead_pid(),
        start: 1,
        serial: 0,
    };
    let path = parent.join(name.to_string());
    fs::create_dir(&path).unwrap();
    path
}

/// A sweep that did `removed` and `moved` and nothing else.
fn cleared(removed: usize, moved: usize) -> Swept {
    Swept {
        removed,
        moved,
        ..Swept::default()
    }
}

// The tests below sweep inside a cgroup of their own, so that the sweeps of
// other tests, which run at the same time, have nothing to do with them.

#[test]
fn what_a_dead_run_left_is_cleared_and_its_processes_live_on() {
    let Some(home) = cgroup() else { return };
    let dead = stale(home.path());
    fs::create_dir_all(dead.join("of/the/target")).unwrap();
    let mut shallow = Lodger::in_cgroup(&dead);
    let mut deep = Lodger::in_cgroup(&dead.join("of/the"));
    let empty = stale(home.path());

    assert_eq!(sweep(home.path()), cleared(2, 2));
    assert!(!dead.exists() && !empty.exists());
    assert!(shallow.lives() && deep.lives());
    let name = home.path().file_name().unwrap().to_str().unwrap();
    for lodger in [&shallow, &deep] {
        assert!(lodger.cgroup().ends_with(name), "{}", lodger.cgroup());
    }
    assert_eq!(sweep(home.path()), cleared(0, 0), "nothing is left to do");
}

#[test]
fn a_live_run_is_left_alone() {
    let Some(home) = cgroup() else { return };
    let live = Cgroup::create(home.path()).unwrap();
    let lodger = Lodger::in_cgroup(live.path());
    let swept = sweep(home.path());
    assert_eq!((swept.live, swept.removed, swept.moved), (1, 0, 0));
    assert!(live.processes().contains(&lodger.0.id()));
}

#[test]
fn the_lock_alone_marks_a_live_run_of_another_pid_namespace() {
    let Some(home) = cgroup() else { return };
    let path = stale(home.path());
    let directory = fs::File::open(&path).unwrap();
    let lock = Flock::lock(directory, FlockArg::LockExclusiveNonblock).unwrap();
    assert_eq!(sweep(home.path()).live, 1);
    assert!(path.exists());
    drop(lock);
    assert_eq!(sweep(home.path()), cleared(1, 0));
}

#[test]
fn the_name_alone_marks_a_live_run_that_has_no_lock_yet() {
    let Some(home) = cgroup() else { return };
    let ours = home.path().file_name().and_then(RunName::parse).unwrap();
    let unlocked = home.path().join(
        RunName {
            serial: 9999,
            ..ours
        }
        .to_string(),
    );
    fs::create_dir(&unlocked).unwrap();
    assert_eq!(sweep(home.path()).live, 1);
    fs::remove_dir(&unlocked).unwrap();
    // The same process id with another start time was somebody else.
    let start = ours.start + 1;
    let reused = home.path().join(RunName { start, ..ours }.to_string());
    fs::create_dir(&reused).unwrap();
    assert_eq!(sweep(home.path()), cleared(1, 0));
}

#[test]
fn a_live_run_inside_a_dead_one_keeps_it() {
    let Some(home) = cgroup() else { return };
    let dead = stale(home.path());
    let inner = Cgroup::create(&dead).unwrap();
    let swept = sweep(home.path());
    assert_eq!((swept.live, swept.removed), (1, 0));
    assert!(inner.path().exists());
    drop(inner);
    assert_eq!(sweep(home.path()), cleared(1, 0));
}

#[test]
fn the_end_of_a_run_does_not_disturb_a_run_inside() {
    let Some(home) = cgroup() else { return };
    let outer = Cgroup::create(home.path()).unwrap();
    let outer_path = outer.path().to_owned();
    let inner = Cgroup::create(&outer_path).unwrap();
    let lodger = Lodger::in_cgroup(inner.path());
    let left = outer.remove().left.unwrap();
    assert!(left.contains("another eprof"), "{left}");
    assert!(inner.processes().contains(&lodger.0.id()));
    drop(lodger);
    drop(inner);
    fs::remove_dir(outer_path).unwrap();
}

#[test]
fn other_cgroups_are_nobodys_business() {
    let Some(home) = cgroup() else { return };
    let names = ["eprof", "eprof-", "eprof-1-x", "system.slice"];
    for name in names {
        fs::create_dir(home.path().join(name)).unwrap();
    }
    assert_eq!(sweep(home.path()), cleared(0, 0));
    for name in names {
        assert!(home.path().join(name).exists(), "{name}");
    }
}
