//! The target's life: exit codes, streams, signals, time limits, what is left
//! behind.

use super::*;

#[test]
fn the_exit_code_is_the_targets() {
    if !root() {
        return;
    }
    for (script, code) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("kill -KILL $$", 137),
        ("kill -TERM $$", 143),
    ] {
        let run = Recorded::run(&[], &["sh", "-c", script]);
        assert_eq!(run.code(), code, "{script}: {}", run.stderr());
        let report = run.report();
        report.assert_balanced();
        assert_eq!(report.0["exit_code"], code, "{script}");
    }
    let missing = Recorded::run(&[], &["/nonexistent/program"]);
    assert_eq!(missing.code(), 127, "{}", missing.stderr());
    let data = Recorded::run(&[], &["/etc/passwd"]);
    assert_eq!(data.code(), 126, "{}", data.stderr());
}

#[test]
fn the_targets_streams_are_untouched() {
    if !root() {
        return;
    }
    let run = Recorded::with(
        &["--quiet"],
        &["sh", "-c", "cat; echo to-stderr >&2"],
        |command| {
            command.stdin(Stdio::from(std::fs::File::open("/etc/hostname").unwrap()));
        },
    );
    assert_eq!(run.output.stdout, std::fs::read("/etc/hostname").unwrap());
    assert_eq!(run.stderr(), "to-stderr\n");
}

#[test]
fn an_interrupt_stops_the_target_and_still_reports() {
    if !root() {
        return;
    }
    for (signal, name) in [
        (nix::sys::signal::Signal::SIGINT, "INT"),
        (nix::sys::signal::Signal::SIGTERM, "TERM"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let ready = directory.path().join("ready");
        // Whoever runs the tests may have ignored what they send.
        let mut child = Command::new("env")
            .args(["--default-signal=INT,TERM"])
            .arg(eprof())
            .current_dir(directory.path())
            .args([
                "run",
                "--format",
                "json",
                "--report",
                "report.json",
                "--",
                "sh",
                "-c",
            ])
            .arg("touch ready; while :; do :; done")
            .process_group(0)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while !ready.exists() {
            assert!(child.try_wait().unwrap().is_none(), "ended early");
            std::thread::yield_now();
        }
        // As a terminal does on Ctrl-C: the signal goes to the whole group.
        let group = nix::unistd::Pid::from_raw(child.id() as i32);
        nix::sys::signal::killpg(group, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let code = 128 + signal as i32;
        assert_eq!(
            output.status.code(),
            Some(code),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let report = support::Report(
            serde_json::from_slice(&std::fs::read(directory.path().join("report.json")).unwrap())
                .unwrap(),
        );
        report.assert_balanced();
        assert_eq!(report.0["exit_code"], code);
        assert!(report.account("target") > 0);
    }
}

#[test]
fn nothing_stays_behind() {
    if !root() {
        return;
    }
    let cgroups = || -> BTreeSet<String> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mount = mounts
            .lines()
            .find(|line| line.contains(" - cgroup2 "))
            .unwrap()
            .split(' ')
            .nth(4)
            .unwrap()
            .to_owned();
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = own
            .lines()
            .find_map(|line| line.strip_prefix("0::"))
            .unwrap()
            .to_owned();
        std::fs::read_dir(format!("{mount}{own}"))
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
            .filter(|name| name.starts_with("eprof-"))
            .collect()
    };
    let run = Recorded::run(&[], &["sh", "-c", "cat /proc/self/cgroup"]);
    let said = String::from_utf8_lossy(&run.output.stdout).into_owned();
    let name = said
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    assert!(name.starts_with("eprof-"), "{said}");
    assert!(!cgroups().contains(&name), "the cgroup is gone");

    // A run that is killed leaves its cgroup; the next run clears it.
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(eprof())
        .current_dir(directory.path())
        .args([
            "run",
            "--",
            "sh",
            "-c",
            "echo $$ > pid; cat /proc/self/cgroup > where.tmp; mv where.tmp where; exec sleep 1000",
        ])
        .spawn()
        .unwrap();
    while !directory.path().join("where").exists() {
        assert!(child.try_wait().unwrap().is_none(), "ended early");
        std::thread::yield_now();
    }
    let said = std::fs::read_to_string(directory.path().join("where")).unwrap();
    let name = said
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(cgroups().contains(&name), "left behind by a killed run");
    Recorded::run(&[], &["true"]);
    assert!(!cgroups().contains(&name), "cleared by the next run");

    // The recording of the killed run is still of use.
    let report = eprof_in(directory.path(), &["report", "--format", "json"]);
    assert!(
        report.status.success(),
        "{}",
        String::from_utf8_lossy(&report.stderr)
    );

    // The target outlived the eprof that was killed.
    let pid = std::fs::read_to_string(directory.path().join("pid")).unwrap();
    let pid = nix::unistd::Pid::from_raw(pid.trim().parse().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn a_flamegraph_that_cannot_be_written_keeps_no_number_back() {
    if !root() {
        return;
    }
    // It could have been written when the run began.
    let run = Recorded::with(
        &["--flamegraph", "there/flame.svg"],
        &["rmdir", "there"],
        |run| {
            std::fs::create_dir(run.get_current_dir().unwrap().join("there")).unwrap();
        },
    );
    assert_eq!(run.code(), 66, "{}", run.stderr());
    assert!(run.stderr().contains("there/flame.svg"));
    run.report().assert_balanced();
}

#[test]
fn what_could_not_be_written_is_refused_before_the_run() {
    for (arguments, code, name) in [
        (
            &["run", "--flamegraph", "no/flame.svg"][..],
            66,
            "no/flame.svg",
        ),
        (&["run", "--flamegraph", "."], 66, "."),
        (
            &["run", "--repeat", "2", "--flamegraph", "no/flame.svg"],
            66,
            "no/flame.svg",
        ),
        (&["run", "--report", "no/report.json"], 66, "no/report.json"),
        (
            &["stat", "--runs", "2", "--output", "no/stat.txt"],
            66,
            "no/stat.txt",
        ),
        (&["run", "--output", "-"], 2, "standard output"),
        (&["run", "--flamegraph", "-"], 2, "standard output"),
        (&["run", "--report", "-"], 2, "standard output"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let all = [arguments, &["--", "touch", "it-ran"]].concat();
        let run = eprof_in(directory.path(), &all);
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{arguments:?}: {said}");
        let errors: Vec<&str> = said
            .lines()
            .filter(|line| !line.starts_with("hint: "))
            .collect();
        assert!(
            matches!(errors[..], [one] if one.starts_with("error: ") && one.contains(name)),
            "{arguments:?}: {said}"
        );
        let left = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 0, "{arguments:?}: nothing ran, nothing is left");
    }
}

#[test]
fn a_recording_to_dev_null_is_reported_and_not_kept() {
    if !root() {
        return;
    }
    let run = Recorded::run(&["-o", "/dev/null"], &["sh", "-c", "exit 7"]);
    assert_eq!(run.code(), 7, "{}", run.stderr());
    run.report().assert_balanced();
    assert!(!run.path("eprof.data").exists());
    let shown = run.eprof(&["run", "-o", "/dev/null", "--", "true"]);
    let shown = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(shown.contains("where the energy went"), "{shown}");
    assert!(shown.contains("flamegraph: eprof.svg"), "{shown}");
    // There is nothing to make another report of.
    assert!(!shown.contains("recording:"), "{shown}");
    let null = std::fs::metadata("/dev/null").unwrap();
    assert!(!null.is_file());
}

#[test]
fn an_older_recording_is_kept() {
    if !root() {
        return;
    }
    let run = Recorded::run(&[], &["true"]);
    let first = std::fs::read(run.path("eprof.data")).unwrap();
    let second = run.eprof(&["run", "--quiet", "--", "true"]);
    assert!(second.status.success());
    assert_eq!(std::fs::read(run.path("eprof.data.old")).unwrap(), first);
    assert_ne!(std::fs::read(run.path("eprof.data")).unwrap(), first);
}

#[test]
fn a_duration_ends_the_target() {
    if !root() {
        return;
    }
    let run = Recorded::run(&["--duration", "300ms"], &["sleep", "1000"]);
    assert_eq!(run.code(), 128 + 15, "{}", run.stderr());
    let seconds = run.report().0["duration_s"].as_f64().unwrap();
    assert!((0.3..30.0).contains(&seconds), "{seconds}");
}

#[test]
fn a_delay_leaves_the_beginning_out() {
    if !root() {
        return;
    }
    let burn = "timeout 0.6 sh -c 'while :; do :; done'";
    let run = Recorded::run(&["--delay", "0.4s"], &["sh", "-c", burn]);
    let report = run.report();
    report.assert_balanced();
    let cpu = report.sum("threads", "cpu_ns") as f64 / 1e9;
    // 0.6 s of wall-clock time, of which 0.4 s are left out; a busy machine
    // gives less.
    assert!(cpu > 0.0 && cpu < 0.3, "{cpu}");
    assert!(report.account("target") > 0);
}

#[test]
fn files_that_the_caller_hands_on_reach_the_target() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("bash")
        .current_dir(directory.path())
        .args(["-c", "\"$EPROF\" run --quiet -- cat <(echo through)"])
        .env("EPROF", eprof())
        .env_remove("SUDO_UID")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.stdout, b"through\n", "{stderr}");
}

#[test]
fn a_long_interval_loses_nothing() {
    if !root() {
        return;
    }
    // Longer than the run: the one interval ends when the target does.
    let run = Recorded::run(&["--interval", "10s", "-F", "4999"], &[example("threads")]);
    let report = run.report();
    report.assert_balanced();
    assert_eq!(report.0["losses"], serde_json::json!({}), "{:#}", report.0);
    let cpu = report.sum("threads", "cpu_ns") as f64 / 1e9;
    let samples = report.sum("threads", "samples") as f64;
    assert!(
        (samples - cpu * 4999.0).abs() < 0.1 * samples,
        "{samples} samples in {cpu} s"
    );
}
