//! Without permission, under sudo, in namespaces, without BTF or a cgroup.

use super::*;

/// Runs `script` (which finds eprof as `$EPROF`) with `unshare OPTIONS` in a
/// directory of its own.
fn unshared(options: &[&str], script: &str) -> Option<(tempfile::TempDir, String)> {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .current_dir(directory.path())
        .args(options)
        .args(["sh", "-ec", script])
        .env("EPROF", eprof())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !directory.path().join("report.json").exists() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        support::skip(&format!("no namespace of its own: {why}"));
        return None;
    }
    Some((directory, said))
}

fn report_in(directory: &tempfile::TempDir) -> support::Report {
    let text = std::fs::read(directory.path().join("report.json")).unwrap();
    let report = support::Report(serde_json::from_slice(&text).unwrap());
    report.assert_balanced();
    report
}

#[test]
fn without_permission_there_is_one_sentence_and_a_remedy() {
    if !root() {
        return;
    }
    let run = Recorded::with(&[], &["true"], |command| {
        // Its files are no reason to refuse it.
        let own = command.get_current_dir().unwrap();
        std::os::unix::fs::chown(own, Some(65534), Some(65534)).unwrap();
        command.uid(65534).gid(65534);
    });
    assert_eq!(run.code(), 77, "{}", run.stderr());
    let stderr = run.stderr();
    assert!(stderr.starts_with("error: "), "{stderr}");
    assert!(
        stderr.contains("CAP_BPF") || stderr.contains("cap_bpf"),
        "{stderr}"
    );
    assert!(stderr.contains("sudo"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn under_sudo_the_target_and_the_files_are_the_callers() {
    if !root() {
        return;
    }
    let as_sudo = |options: &[&str]| {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(directory.path(), Some(65534), Some(65534)).unwrap();
        let mut command = Command::new(eprof());
        let output = command
            .current_dir(directory.path())
            .env("SUDO_UID", "65534")
            .env("SUDO_GID", "65534")
            .env("SUDO_USER", "nobody")
            .arg("run")
            .args(options)
            .args([
                "--report",
                "report.txt",
                "--",
                "sh",
                "-c",
                "id -u; grep CapEff /proc/self/status; ls /proc/self/fd | tr '\\n' ' '",
            ])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        (directory, String::from_utf8(output.stdout).unwrap())
    };
    let (directory, said) = as_sudo(&[]);
    assert_eq!(
        said, "65534\nCapEff:\t0000000000000000\n0 1 2 3 ",
        "its uid, no capabilities, no descriptors but ls's own"
    );
    for file in ["eprof.data", "eprof.svg", "report.txt"] {
        use std::os::unix::fs::MetadataExt;
        let owner = std::fs::metadata(directory.path().join(file))
            .unwrap()
            .uid();
        assert_eq!(owner, 65534, "{file}");
    }
    let (_directory, said) = as_sudo(&["--as-root"]);
    assert!(said.starts_with("0\n"), "{said}");
}

#[test]
fn without_btf_the_accounts_are_the_same() {
    if !root() {
        return;
    }
    // Without BTF the hooks are found in tracefs.
    if !std::path::Path::new("/sys/kernel/tracing/events").is_dir() {
        let mounted = Command::new("mount")
            .args(["-t", "tracefs", "tracefs", "/sys/kernel/tracing"])
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            return support::skip("tracefs cannot be mounted");
        }
    }
    let stolen = stolen();
    let run = Recorded::with(&[], &[example("threads")], |command| {
        command.env("EPROF_NO_BTF", "1");
    });
    assert_eq!(run.code(), 0, "{}", run.stderr());
    let report = run.report();
    report.assert_balanced();
    let truths = truths(&run.output.stdout);
    assert_threads(&report, &truths, support::stolen() - stolen);
}

#[test]
fn in_a_pid_namespace_ids_and_names_are_as_seen_there() {
    if !root() {
        return;
    }
    let script = format!(
        "$EPROF run --quiet --format json --report report.json -- sh -c 'echo $$; {}; true'",
        example("two_functions").display()
    );
    let Some((directory, said)) = unshared(&["--pid", "--fork", "--mount-proc"], &script) else {
        return;
    };
    let report = report_in(&directory);
    let shell: u64 = said.lines().next().unwrap().parse().unwrap();
    assert!(shell < 1000, "a small number in a new namespace: {shell}");
    let rows = report.rows("processes");
    let at = |pid: u64| rows.iter().any(|row| row["pid"] == pid);
    assert!(at(shell), "{rows:#?}");
    let heavy = report
        .rows("functions")
        .iter()
        .find(|row| row["function"].as_str().unwrap().ends_with("heavy"));
    assert!(heavy.is_some(), "{:#?}", report.rows("functions"));
}

#[test]
fn without_a_writable_cgroup_the_target_is_followed_by_its_forks() {
    if !root() {
        return;
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .unwrap()
        .split(' ')
        .nth(4)
        .unwrap();
    let script = format!(
        "mount --bind {mount} {mount}; mount -o remount,ro,bind {mount}; \
         $EPROF run --quiet --format json --report report.json -- \
         sh -c '{} & {}; wait'",
        example("two_functions").display(),
        example("threads").display(),
    );
    let Some((directory, said)) = unshared(&["--mount"], &script) else {
        return;
    };
    let report = report_in(&directory);
    let caveat = report
        .rows("caveats")
        .iter()
        .find(|row| row["code"] == "no-cgroup");
    let caveat = caveat.unwrap_or_else(|| panic!("{:#}", report.0["caveats"]));
    assert!(caveat["hint"].is_string(), "{caveat}");
    // Both children and all of their threads are there, with samples.
    for comm in ["two_functions", "heavy", "medium", "light"] {
        let samples: u64 = report
            .threads_named(comm)
            .map(|row| row["samples"].as_u64().unwrap())
            .sum();
        assert!(samples > 50, "{comm}: {samples} samples; {said}");
    }
}
