//! The real thing, end to end, as root: `eprof run` on workloads whose truth
//! is known, held against something independent of eprof.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

mod support;

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Recorded, eprof, eprof_in, example, root, stolen};

/// What a workload says of itself: lines of JSON.
fn truths(output: &[u8]) -> Vec<Value> {
    let lines = String::from_utf8_lossy(output).into_owned();
    let truths: Vec<_> = lines
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert!(!truths.is_empty(), "the workload prints its truth: {lines}");
    truths
}

/// Asserts that `got` seconds of CPU time are `expected` within 1 %, or what
/// the hypervisor took away meanwhile: it is inside eprof's slices, and not in
/// the kernel's books.
fn assert_seconds(got: f64, expected: f64, stolen: f64, what: &str) {
    let slack = 0.01 * expected + 0.002 + stolen;
    assert!(
        (got - expected).abs() <= slack,
        "{what}: {got} s against {expected} s ± {slack}"
    );
}

/// Asserts that each thread of the `threads` example has the CPU time that its
/// own clock showed.
fn assert_threads(report: &support::Report, truths: &[Value], stolen: f64) {
    assert!(truths.len() >= 3);
    for thread in truths {
        let name = thread["thread"].as_str().unwrap();
        let rows: Vec<_> = report.threads_named(name).collect();
        assert_eq!(rows.len(), 1, "{name}: {:#}", report.0);
        let seconds = |value: &Value| value.as_f64().unwrap() / 1e9;
        let got = seconds(&rows[0]["cpu_ns"]);
        assert_seconds(got, seconds(&thread["cpu_ns"]), stolen, name);
    }
}

#[test]
fn two_functions_share_the_energy_as_they_share_the_time() {
    if !root() {
        return;
    }
    let run = Recorded::run(&[], &[example("two_functions")]);
    assert_eq!(run.code(), 0, "{}", run.stderr());
    let report = run.report();
    report.assert_balanced();
    let truth = &truths(&run.output.stdout)[0];
    let own = |name: &str| -> f64 {
        report
            .rows("functions")
            .iter()
            .filter(|row| row["function"].as_str().unwrap().ends_with(name))
            .map(|row| row["self_uj"].as_u64().unwrap() as f64)
            .sum()
    };
    let (heavy, light) = (own("heavy"), own("light"));
    let expected = truth["heavy_ns"].as_f64().unwrap()
        / (truth["heavy_ns"].as_f64().unwrap() + truth["light_ns"].as_f64().unwrap());
    assert!(
        heavy + light > 0.9 * report.account("target") as f64,
        "{:#}",
        report.0
    );
    // Some 1,500 samples: four standard deviations of a binomial share.
    let samples = report.sum("threads", "samples") as f64;
    let tolerance = 4.0 * (expected * (1.0 - expected) / samples).sqrt() + 0.01;
    let share = heavy / (heavy + light);
    assert!(
        (share - expected).abs() < tolerance,
        "{share} against {expected} ± {tolerance}"
    );
}

#[test]
fn cpu_time_is_what_the_kernel_says_to_one_percent() {
    if !root() {
        return;
    }
    // `times` of the shell: its own user and system time, and that of the
    // children it waited for.
    let script = format!("{} >&2; times", example("threads").display());
    let stolen = stolen();
    let run = Recorded::run(&[], &["sh", "-c", &script]);
    let stolen = support::stolen() - stolen;
    let report = run.report();
    report.assert_balanced();
    let times = String::from_utf8_lossy(&run.output.stdout).into_owned();
    let seconds: f64 = times
        .lines()
        .flat_map(str::split_whitespace)
        .map(|word| {
            let (minutes, seconds) = word.split_once('m').unwrap();
            minutes.parse::<f64>().unwrap() * 60.0
                + seconds.trim_end_matches('s').parse::<f64>().unwrap()
        })
        .sum();
    let cpu = report.sum("threads", "cpu_ns") as f64 / 1e9;
    // The shell's figures are multiples of 10 ms, four of them.
    assert_seconds(cpu, seconds, stolen + 0.02, "against times(1)");
}

#[test]
fn threads_are_told_apart_and_weighed() {
    if !root() {
        return;
    }
    let stolen = stolen();
    let run = Recorded::run(&[], &[example("threads")]);
    let report = run.report();
    report.assert_balanced();
    let truths = truths(&run.output.stdout);
    assert_threads(&report, &truths, support::stolen() - stolen);
    let total: f64 = truths.iter().map(|t| t["cpu_ns"].as_f64().unwrap()).sum();
    for thread in &truths {
        let name = thread["thread"].as_str().unwrap();
        let energy: f64 = report
            .threads_named(name)
            .map(|row| row["marginal_uj"].as_f64().unwrap())
            .sum();
        let share = energy / report.sum("threads", "marginal_uj") as f64;
        let expected = thread["cpu_ns"].as_f64().unwrap() / total;
        assert!(
            (share - expected).abs() < 0.03,
            "{name}: {share}, not {expected}"
        );
    }
}

#[test]
fn every_short_process_is_counted_and_named() {
    if !root() {
        return;
    }
    let run = Recorded::run(
        &[],
        &[
            "sh",
            "-c",
            "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done",
        ],
    );
    let report = run.report();
    report.assert_balanced();
    let named: BTreeSet<_> = report
        .rows("processes")
        .iter()
        .filter(|row| row["comm"] == "true")
        .map(|row| row["pid"].as_u64().unwrap())
        .collect();
    assert_eq!(named.len(), 1000, "{:#}", report.0["losses"]);
}

#[test]
fn an_exec_chain_is_not_merged() {
    if !root() {
        return;
    }
    let run = Recorded::run(
        &[],
        &[
            "sh",
            "-c",
            "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec /bin/true'",
        ],
    );
    let report = run.report();
    report.assert_balanced();
    let of_root: Vec<_> = report
        .rows("processes")
        .iter()
        .map(|row| (&row["pid"], &row["comm"]))
        .collect();
    let pids: BTreeSet<_> = of_root.iter().map(|(pid, _)| pid.as_u64()).collect();
    assert_eq!(pids.len(), 1, "one PID all along: {of_root:?}");
    assert!(
        of_root.len() >= 3,
        "three programs, three rows: {of_root:?}"
    );
    assert!(
        of_root.iter().any(|(_, comm)| **comm == "true"),
        "{of_root:?}"
    );
}

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
        let mut child = Command::new(eprof())
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
fn all_outputs_agree_to_the_microjoule() {
    if !root() {
        return;
    }
    let run = Recorded::run(&[], &[example("two_functions")]);
    let target = run.report().account("target");

    let again = run.eprof(&["report", "--format", "json"]);
    assert!(again.status.success());
    assert_eq!(
        again.stdout,
        std::fs::read(run.path("report.json")).unwrap(),
        "the recording gives the same report"
    );

    let folded = run.eprof(&["flamegraph", "--folded"]);
    let total: u64 = String::from_utf8(folded.stdout)
        .unwrap()
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum();
    assert_eq!(total, target);

    let svg = std::fs::read_to_string(run.path("eprof.svg")).unwrap();
    let all = svg
        .split("<title>")
        .filter_map(|text| text.strip_prefix("all ("))
        .find_map(|text| text.split(' ').next().map(|n| n.replace(',', "")))
        .expect("the root frame has a title");
    assert_eq!(all.parse::<u64>().unwrap(), target);

    for by in ["thread", "process", "command", "function", "module", "cpu"] {
        let csv = run.eprof(&["report", "--by", by, "--format", "csv"]);
        assert!(
            csv.status.success(),
            "{by}: {}",
            String::from_utf8_lossy(&csv.stderr)
        );
        let text = String::from_utf8(csv.stdout).unwrap();
        let mut lines = text.lines();
        let header: Vec<_> = lines.next().unwrap().split(',').collect();
        let column = header
            .iter()
            .position(|name| *name == "uj" || *name == "self_uj")
            .unwrap_or_else(|| panic!("{by}: {header:?}"));
        // Names may hold commas: count the columns from the right.
        let from_right = header.len() - column;
        let sum: u64 = lines
            .map(|line| {
                line.rsplit(',')
                    .nth(from_right - 1)
                    .unwrap()
                    .parse::<u64>()
                    .unwrap()
            })
            .sum();
        assert_eq!(sum, target, "{by}");
    }
}

#[test]
fn without_permission_there_is_one_sentence_and_a_remedy() {
    if !root() {
        return;
    }
    let run = Recorded::with(&[], &["true"], |command| {
        command.uid(65534).gid(65534);
        command.current_dir("/");
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
            "cat /proc/self/cgroup > where.tmp; mv where.tmp where; sleep 1000",
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
    let _ = Command::new("pkill").args(["-f", "sleep 1000"]).status();
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
fn samples_are_as_many_as_perf_takes() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let perf = Command::new("perf")
        .current_dir(directory.path())
        .args([
            "record",
            "-q",
            "-e",
            "cpu-clock",
            "-c",
            "1003009",
            "-g",
            "-o",
            "perf.data",
            "--",
        ])
        .arg(example("two_functions"))
        .stdout(Stdio::null())
        .status();
    if !perf.is_ok_and(|status| status.success()) {
        return support::skip("perf record does not work (Debian: apt-get install linux-perf)");
    }
    let script = Command::new("perf")
        .current_dir(directory.path())
        .args(["script", "-G", "-F", "ip,sym"])
        .output()
        .unwrap();
    let leaves = String::from_utf8_lossy(&script.stdout).into_owned();
    let of_perf = |symbol: &str| leaves.lines().filter(|line| line.contains(symbol)).count() as f64;
    let all = leaves
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count() as f64;

    let run = Recorded::run(&[], &[example("two_functions")]);
    let report = run.report();
    let total = report.sum("threads", "samples") as f64;
    let cpu = report.sum("threads", "cpu_ns") as f64 / 1e9;
    // One sample per 1/997 s of CPU time, give or take the borders and what
    // the hypervisor delayed.
    assert!(
        (total - cpu * 997.0).abs() <= 0.05 * total + 3.0,
        "{total} samples in {cpu} s"
    );
    for symbol in ["heavy", "light"] {
        let samples: f64 = report
            .rows("functions")
            .iter()
            .filter(|row| row["function"].as_str().unwrap().ends_with(symbol))
            .map(|row| row["samples"].as_f64().unwrap())
            .sum();
        let (got, expected) = (samples / total, of_perf(symbol) / all);
        // Both are samples of some 1,500: five standard deviations of the
        // difference of two such shares.
        assert!(
            (got - expected).abs() < 0.09,
            "{symbol}: {got} against perf's {expected}"
        );
    }
}

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
