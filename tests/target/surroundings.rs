//! Where no cgroup can be made, and where it is found in odd places.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use eprof::host::mountinfo::cgroup_mounts;
use eprof::host::own_cgroup;
use eprof::launch::Follow;
use eprof::launch::follow::follow_below;

use crate::bench::{cgroup, copy_executable, open_directory, root, skip};
use crate::driver::Drive;

/// Where cgroup v2 is mounted here.
fn mount_point() -> PathBuf {
    let mountinfo = std::fs::read("/proc/self/mountinfo").unwrap();
    let own = own_cgroup::directory().unwrap();
    let mounts = cgroup_mounts(&mountinfo).into_iter();
    let mut points = mounts.map(|mount| mount.point);
    points.find(|point| own.starts_with(point)).unwrap()
}

/// Whether this machine lets us make namespaces for a test.
fn namespaces(flags: &str) -> bool {
    if !root() {
        return false;
    }
    let made = Command::new("unshare").args([flags, "true"]).status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        skip(&format!("unshare {flags} is not possible"));
    }
    made
}

/// A shell in new namespaces that runs `first`, then becomes the driver.
fn in_namespaces(flags: &str, first: &str, script: &str) -> (i32, Vec<String>) {
    let mut wrapper = Command::new("unshare");
    let setup = format!("set -e; {first}; exec \"$0\" \"$@\"");
    wrapper.args([flags, "/bin/sh", "-c", &setup]);
    let executable = std::env::current_exe().unwrap();
    Drive::below(wrapper, &executable, script).finish()
}

fn line(log: &[String], word: &str) -> String {
    let found = log.iter().find_map(|line| line.strip_prefix(word));
    found
        .unwrap_or_else(|| panic!("no '{word}' in {log:?}"))
        .to_owned()
}

#[test]
fn a_read_only_hierarchy_is_no_failure() {
    if cgroup().is_none() || !namespaces("--mount") {
        return;
    }
    let point = mount_point();
    let first = format!("mount -o remount,bind,ro '{}'", point.display());
    let (code, log) = in_namespaces("--mount", &first, "exit 6");
    assert_eq!(code, 6, "{log:?}");
    assert!(line(&log, "fork ").contains("Read-only"), "{log:?}");
    assert!(line(&log, "fork ").contains("fork events"), "{log:?}");
    assert!(line(&log, "hint ").contains("--cgroupns=host"), "{log:?}");
}

#[test]
fn no_hierarchy_is_no_failure() {
    if cgroup().is_none() || !namespaces("--mount") {
        return;
    }
    let first = format!("umount -l '{}'", mount_point().display());
    let (code, log) = in_namespaces("--mount", &first, "exit 6");
    assert_eq!(code, 6, "{log:?}");
    assert!(line(&log, "fork ").contains("not mounted"), "{log:?}");
}

#[test]
fn without_a_cgroup_a_stubborn_tree_is_killed_all_the_same() {
    if cgroup().is_none() || !namespaces("--mount") {
        return;
    }
    let first = format!("umount -l '{}'", mount_point().display());
    let variables = "export EPROF_TEST_DURATION_NS=20000000 EPROF_TEST_GRACE_NS=1000000";
    let script = "(sleep 1000; true) & sleep 1001; true";
    let setup = format!("{first}; {variables}; trap '' TERM");
    // It ends only when nobody holds the driver's standard error any more.
    let (code, log) = in_namespaces("--mount", &setup, script);
    assert_eq!(code, 137, "{log:?}");
}

#[test]
fn a_covered_mount_is_not_taken_for_the_hierarchy() {
    if cgroup().is_none() || !namespaces("--mount") {
        return;
    }
    let point = mount_point();
    let first = format!("mount -t tmpfs none '{}'", point.display());
    let (code, log) = in_namespaces("--mount", &first, "exit 6");
    assert_eq!(code, 6, "{log:?}");
    assert!(line(&log, "fork ").contains("not visible"), "{log:?}");
}

#[test]
fn a_cgroup_namespace_with_a_mount_of_its_own() {
    let Some(home) = cgroup() else { return };
    if !namespaces("-Cm") {
        return;
    }
    let mount = tempfile::tempdir().unwrap();
    let point = mount.path().display();
    // First into the cgroup, then a namespace whose root it becomes.
    let procs = home.path().join("cgroup.procs");
    let enter = format!("echo $$ > '{}' && exec \"$0\" \"$@\"", procs.display());
    let setup = format!("mount -t cgroup2 none '{point}' && exec \"$0\" \"$@\"");
    let mut wrapper = Command::new("/bin/sh");
    wrapper.args(["-c", &enter, "unshare", "-Cm", "/bin/sh", "-c", &setup]);
    let executable = std::env::current_exe().unwrap();
    let (code, log) = Drive::below(wrapper, &executable, "exit 6").finish();
    assert_eq!(code, 6, "{log:?}");
    let made = PathBuf::from(line(&log, "cgroup "));
    assert_eq!(made.parent(), Some(mount.path()), "{log:?}");
}

/// A copy of this program where everybody may execute it.
fn public_copy(directory: &Path) -> PathBuf {
    let copy = directory.join("driver");
    copy_executable(&std::env::current_exe().unwrap(), &copy);
    copy
}

#[test]
fn without_permission_the_tree_is_followed_by_forks_and_the_remedy_told() {
    if !root() || cgroup().is_none() {
        return;
    }
    let directory = open_directory();
    let copy = public_copy(directory.path());
    let mut wrapper = Command::new("/usr/bin/env");
    wrapper.uid(65534).gid(65534);
    let (code, log) = Drive::below(wrapper, &copy, "id -u >&2; exit 6").finish();
    assert_eq!(code, 6, "{log:?}");
    assert!(line(&log, "fork ").contains("Permission denied"), "{log:?}");
    assert!(line(&log, "hint ").contains("Delegate=yes"), "{log:?}");
    assert!(log.iter().any(|line| line == "65534"), "{log:?}");
}

#[test]
fn a_cgroup_that_cannot_have_a_child_with_processes_is_left_as_it_was() {
    let Some(home) = cgroup() else { return };
    let reason = |own: &Path| match follow_below(own) {
        Follow::Cgroup(cgroup) => panic!("made {}", cgroup.path().display()),
        Follow::Fork(caveat) => caveat.sentence,
    };
    // Below a threaded cgroup there can be threaded ones only.
    let threaded = home.path().join("threaded");
    std::fs::create_dir(&threaded).unwrap();
    std::fs::write(threaded.join("cgroup.type"), "threaded").unwrap();
    let why = reason(&threaded);
    assert!(why.contains("domain invalid"), "{why}");
    // An administrator may limit how many there are.
    std::fs::write(home.path().join("cgroup.max.descendants"), "1").unwrap();
    let why = reason(home.path());
    assert!(why.contains("os error 11"), "{why}");

    let directories = |path: &Path| {
        let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
        entries
            .filter(|entry| entry.file_type().unwrap().is_dir())
            .count()
    };
    assert_eq!((directories(&threaded), directories(home.path())), (0, 1));
}

#[test]
fn root_without_the_power_to_become_the_caller_runs_nothing() {
    if !root() {
        return;
    }
    let mut wrapper = Command::new("setpriv");
    wrapper.arg("--bounding-set=-setuid");
    wrapper.envs([("SUDO_UID", "65534"), ("SUDO_GID", "65534")]);
    let executable = std::env::current_exe().unwrap();
    let (code, log) = Drive::below(wrapper, &executable, "echo ran >&2").finish();
    assert_eq!(code, 126, "{log:?}");
    assert!(
        line(&log, "error ").contains("cannot run as nobody"),
        "{log:?}"
    );
    assert!(!log.iter().any(|line| line == "ran"), "{log:?}");
}

#[test]
fn a_cgroup_delegated_to_a_user_is_used() {
    let Some(home) = cgroup() else { return };
    if !root() {
        return;
    }
    // What `systemd-run --user -p Delegate=yes` prepares.
    for name in [
        "",
        "cgroup.procs",
        "cgroup.subtree_control",
        "cgroup.threads",
    ] {
        std::os::unix::fs::chown(home.path().join(name), Some(65534), Some(65534)).unwrap();
    }
    let directory = open_directory();
    let copy = public_copy(directory.path());
    let procs = home.path().join("cgroup.procs");
    let mut wrapper = Command::new("/bin/sh");
    let enter = format!("echo $$ > '{}' && exec \"$0\" \"$@\"", procs.display());
    let become_user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    wrapper.args(["-c", &enter, "setpriv"]).args(become_user);
    let (code, log) = Drive::below(wrapper, &copy, "cat /proc/self/cgroup >&2").finish();
    assert_eq!(code, 0, "{log:?}");
    let made = PathBuf::from(line(&log, "cgroup "));
    assert_eq!(made.parent(), Some(home.path()), "{log:?}");
    assert!(!made.exists());
    let name = made.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(line(&log, "0::").ends_with(&name), "{log:?}");
}

#[test]
fn no_capability_that_eprof_holds_as_a_user_reaches_the_target() {
    if !root() {
        return;
    }
    let directory = open_directory();
    let copy = public_copy(directory.path());
    let mut wrapper = Command::new("setpriv");
    // As a service with ambient capabilities would start it.
    wrapper.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all,+net_raw,+kill",
        "--ambient-caps=-all,+net_raw,+kill",
    ]);
    let script = "grep ^Cap /proc/self/status >&2";
    let (code, log) = Drive::below(wrapper, &copy, script).finish();
    assert_eq!(code, 0, "{log:?}");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(line(&log, set).trim(), "0000000000000000", "{set} {log:?}");
    }
}
