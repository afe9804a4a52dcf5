//! Nothing is lost: whatever is full, gone, moved or in the way, there is a report of
//! what was measured, and the target's exit code.

use std::path::{Path, PathBuf};

use super::*;

/// Burns CPU time for so many seconds, by its own clock.
const BURN: &str = "import time, sys
while time.process_time() < float(sys.argv[1]):
    for i in range(20000):
        pass
";

/// Runs a shell script that finds eprof as `$EPROF` and [`BURN`] as `burn.py`.
fn script(directory: &Path, text: &str) -> Output {
    std::fs::write(directory.join("burn.py"), BURN).unwrap();
    Command::new("bash")
        .current_dir(directory)
        .args(["-c", text])
        .env("EPROF", eprof())
        .env("WORK", example("two_functions"))
        .env_remove("SUDO_UID")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn report_at(path: PathBuf) -> support::Report {
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let report = support::Report(serde_json::from_slice(&text).unwrap());
    report.assert_balanced();
    report
}

/// The codes of a report's caveats.
fn caveats(report: &support::Report) -> Vec<&str> {
    let rows = report.rows("caveats").iter();
    rows.filter_map(|row| row["code"].as_str()).collect()
}

#[test]
fn two_runs_in_one_directory_report_each_of_itself() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // The first one goes on until the second has taken its name.
    let said = script(
        directory.path(),
        r#"
        run() { "$EPROF" run --no-flamegraph --format json --report "$1.json" -- "${@:2}"; }
        run first sh -c 'touch one; until [ -e two ]; do sleep 0.01; done; sleep 0.2' 2> first.txt &
        until [ -e one ]; do sleep 0.01; done
        run second sh -c 'touch two; exec sleep 1' 2> second.txt &
        wait
        cat first.txt second.txt >&2
        "#,
    );
    let stderr = text(&said.stderr);
    let at = |name: &str| directory.path().join(name);
    for (report, word) in [("first.json", "until"), ("second.json", "exec sleep")] {
        let report = report_at(at(report));
        let command = report.0["command"].to_string();
        assert!(command.contains(word), "{command}: {stderr}");
        assert!(!caveats(&report).contains(&"recording-unfinished"));
    }
    // Each recording is kept, whole, and the first run says where.
    for (name, word) in [("eprof.data.old", "until"), ("eprof.data", "exec sleep")] {
        let dump = eprof_in(directory.path(), &["report", "--format", "json", name]);
        let dump = support::Report(serde_json::from_slice(&dump.stdout).unwrap());
        assert!(dump.0["command"].to_string().contains(word), "{name}");
        assert!(!caveats(&dump).contains(&"recording-unfinished"), "{name}");
    }
    assert!(
        stderr.contains("the recording of this one is eprof.data.old"),
        "{stderr}"
    );
}

/// A file system of its own with so many kilobytes; `None` where there can be none.
fn small_disk(directory: &Path, kilobytes: u32) -> Option<PathBuf> {
    let mount = directory.join("disk");
    std::fs::create_dir(&mount).unwrap();
    let size = format!("size={kilobytes}k");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &size, "none"])
        .arg(&mount)
        .output()
        .unwrap();
    if !mounted.status.success() {
        support::skip(&format!("no file system: {}", text(&mounted.stderr)));
        return None;
    }
    Some(mount)
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_costs_neither_the_older_recording_nor_the_report() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = small_disk(directory.path(), 32) else {
        return;
    };
    let _unmount = Unmount(disk.clone());
    let first = eprof_in(&disk, &["run", "-q", "--no-flamegraph", "--", "true"]);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let older = std::fs::read(disk.join("eprof.data")).unwrap();
    // From no room at all to almost enough: the failure comes in different moments.
    for room in [0, 4, 8, 12] {
        let fill = disk.join("fill");
        let _ = std::fs::remove_file(&fill);
        std::fs::write(&fill, vec![0; room << 10]).unwrap();
        let _ = std::fs::write(disk.join("more"), vec![0; 64 << 10]);
        std::fs::remove_file(&fill).unwrap();
        for _ in 0..3 {
            let out = directory.path().join("report.json");
            let out = out.to_str().unwrap();
            let run = eprof_in(
                &disk,
                &[
                    "run",
                    "-F",
                    "4999",
                    "--interval",
                    "20ms",
                    "--no-flamegraph",
                    "--format",
                    "json",
                    "--report",
                    out,
                    "--",
                    "sh",
                    "-c",
                    "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done",
                ],
            );
            let stderr = text(&run.stderr);
            if !run.status.success() {
                assert_eq!(run.status.code(), Some(66), "{stderr}");
                assert_eq!(stderr.matches("error: ").count(), 1, "{stderr}");
                assert!(stderr.contains("No space left"), "{stderr}");
            }
            // All of the run is in the report, wherever it was kept.
            let report = report_at(out.into());
            assert!(report.sum("threads", "samples") > 20, "{stderr}");
            assert!(!caveats(&report).contains(&"recording-damaged"), "{stderr}");
            let kept = ["eprof.data", "eprof.data.old"];
            let kept = kept.map(|name| std::fs::read(disk.join(name)).ok());
            assert!(kept.contains(&Some(older.clone())), "{room} KiB: {stderr}");
            let names = std::fs::read_dir(&disk).unwrap();
            let names: Vec<_> = names.map(|of| of.unwrap().file_name()).collect();
            assert!(
                !names
                    .iter()
                    .any(|name| name.to_str().unwrap().starts_with('.')),
                "{names:?}"
            );
        }
        let _ = std::fs::remove_file(disk.join("more"));
        // Each time, the older one is the whole one.
        for name in ["eprof.data.old", "eprof.data.part"] {
            let _ = std::fs::remove_file(disk.join(name));
        }
        std::fs::write(disk.join("eprof.data"), &older).unwrap();
    }
}

#[test]
fn the_exit_code_needs_no_standard_error() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let said = script(
        directory.path(),
        r#"
        "$EPROF" run --no-flamegraph -- sh -c 'exit 7' 2>/dev/full; echo $?
        "$EPROF" run --no-flamegraph -- sh -c 'exit 0' 2>/dev/full; echo $?
        "$EPROF" run --no-flamegraph -- no-such-program 2>/dev/full; echo $?
        "$EPROF" report no-such-file 2>/dev/full; echo $?
        EPROF_LOG=trace "$EPROF" run --no-flamegraph -- sh -c 'exit 7' 2>/dev/full; echo $?
        "$EPROF" run --no-flamegraph -- sh -c 'exit 7' 2>&-; echo $?
        ( ( "$EPROF" run --no-flamegraph -- sh -c 'sleep 0.3; exit 7'; echo $? >&3 ) 2>&1 | true ) 3>&1
        "#,
    );
    assert_eq!(text(&said.stdout), "7\n0\n127\n66\n7\n7\n7\n");
}

#[test]
fn a_limit_of_the_files_size_is_a_full_disk_for_eprof_and_its_own_for_the_target() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let said = script(
        directory.path(),
        r#"
        ulimit -f 1
        "$EPROF" run -F 4999 --interval 20ms --no-flamegraph -- python3 burn.py 0.5
        echo $?
        # The target gets the signal, as without eprof.
        "$EPROF" run -q --no-flamegraph -o other -- sh -c 'head -c 9999 /dev/zero > big'; echo $?
        "#,
    );
    let (stdout, stderr) = (text(&said.stdout), text(&said.stderr));
    assert_eq!(stdout, "66\n153\n", "{stderr}");
    assert!(stderr.contains("error: "), "{stderr}");
    assert!(stderr.contains("ulimit -f"), "{stderr}");
    assert!(stderr.contains("where the energy went"), "{stderr}");
}

#[test]
fn few_descriptors_are_made_more_and_the_target_has_what_there_was() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let said = script(
        directory.path(),
        r#"
        ulimit -Sn 24
        "$EPROF" run -q --no-flamegraph -- sh -c 'ulimit -Sn; exit 7'; echo $?
        ulimit -Hn 24
        "$EPROF" run -q --no-flamegraph -- true; echo $?
        "#,
    );
    let (stdout, stderr) = (text(&said.stdout), text(&said.stderr));
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(&lines[..2], ["24", "7"], "{stdout}{stderr}");
    assert!(["69", "70", "66"].contains(&lines[2]), "{stdout}{stderr}");
    assert!(stderr.contains("ulimit -n"), "{stderr}");
    assert!(!stderr.contains("sudo"), "{stderr}");
}

#[test]
fn a_target_that_moves_to_another_cgroup_is_still_sampled() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let said = script(
        directory.path(),
        r#"
        mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
        other=$mount/eprof-test-$$
        mkdir "$other" || exit 3
        "$EPROF" run -F 997 --no-flamegraph --format json --report report.json -- sh -c "
            python3 burn.py 0.3
            echo \$\$ > $other/cgroup.procs || exit 3
            python3 burn.py 1
            exec python3 burn.py 1"
        code=$?
        rmdir "$other"
        exit $code
        "#,
    );
    if said.status.code() == Some(3) {
        support::skip("no cgroup can be made");
        return;
    }
    assert!(said.status.success(), "{}", text(&said.stderr));
    let report = report_at(directory.path().join("report.json"));
    let codes = caveats(&report);
    assert!(codes.contains(&"left-cgroup"), "{codes:?}");
    let cpu = report.sum("threads", "cpu_ns") as f64 / 1e9;
    let samples = report.sum("threads", "samples") as f64;
    assert!(cpu > 2.2, "{cpu}");
    // What was not noticed at once is a few intervals.
    assert!(samples > 0.75 * 997.0 * cpu, "{samples} samples in {cpu} s");
    assert!(
        samples < 1.05 * 997.0 * cpu,
        "nobody is sampled twice: {samples} in {cpu} s"
    );
    // They have names, too: the program was mapped where nobody looked.
    let known = report.rows("functions").iter();
    let python = known.filter(|row| row["module"].to_string().contains("python"));
    let python: u64 = python.filter_map(|row| row["self_uj"].as_u64()).sum();
    let all = report.sum("functions", "self_uj");
    assert!(python * 2 > all, "{python} of {all}");
}

#[test]
fn a_time_namespace_changes_nothing() {
    if !root() {
        return;
    }
    for offset in ["--monotonic=100000", "--monotonic=-10"] {
        let directory = tempfile::tempdir().unwrap();
        let said = script(
            directory.path(),
            &format!(
                r#"
                unshare --time --fork {offset} true || exit 3
                unshare --time --fork {offset} "$EPROF" run --duration 20s --no-flamegraph \
                    --format json --report report.json -- python3 burn.py 0.7
                "#
            ),
        );
        if said.status.code() == Some(3) {
            support::skip(&format!("no time namespace: {}", text(&said.stderr)));
            return;
        }
        assert!(said.status.success(), "{}", text(&said.stderr));
        let report = report_at(directory.path().join("report.json"));
        let cpu = report.sum("threads", "cpu_ns") as f64 / 1e9;
        let samples = report.sum("threads", "samples") as f64;
        assert!((0.7..2.0).contains(&cpu), "{cpu}");
        assert!(samples > 0.8 * 997.0 * cpu, "{samples} samples in {cpu} s");
        assert_eq!(report.0["losses"], serde_json::json!({}), "{:#}", report.0);
    }
}

#[test]
fn the_end_of_the_time_reaches_all_of_the_target_even_if_it_is_stopped() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let said = script(
        directory.path(),
        r#"
        # Nobody is left who would have gone on: neither the child of the shell …
        "$EPROF" run -q --no-flamegraph --duration 300ms -- \
            sh -c 'sleep 1000 & echo $! > child; wait; exit 5'; echo $?
        grep -qs 'State:.[RSDTt]' /proc/$(cat child)/status && echo lives
        # … nor one in a session of its own; and one that is stopped ends in time.
        SECONDS=0
        "$EPROF" run -q --no-flamegraph --duration 300ms -- sh -c 'kill -STOP $$'; echo $?
        [ $SECONDS -lt 4 ] && echo soon
        "#,
    );
    assert_eq!(
        text(&said.stdout),
        "143\n143\nsoon\n",
        "{}",
        text(&said.stderr)
    );
}

#[test]
fn signals_for_the_target_reach_it_and_end_nobody() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let said = script(
        directory.path(),
        r#"
        for signal in USR1 USR2 ALRM VTALRM PROF IO PWR STKFLT RTMIN RTMIN+5 RTMAX; do
            rm -f ready
            "$EPROF" run -q --no-flamegraph -- \
                bash -c "trap 'echo got $signal; exit 9' $signal; touch ready; while :; do sleep 0.01; done" &
            until [ -e ready ]; do sleep 0.01; done
            kill -s $signal $!
            wait $!; echo $?
        done
        "#,
    );
    let stdout = text(&said.stdout);
    assert_eq!(
        stdout.matches("got ").count(),
        11,
        "{stdout}{}",
        text(&said.stderr)
    );
    assert_eq!(
        stdout.lines().filter(|line| *line == "9").count(),
        11,
        "{stdout}"
    );
}

#[test]
fn a_set_user_id_target_without_a_cgroup_is_sampled_again() {
    if !root() {
        return;
    }
    // Temporary directories are often mounted so that the bit has no effect, and others
    // lie where not everybody gets to.
    let places = ["/tmp", "/var/tmp", "/run", env!("CARGO_TARGET_TMPDIR")];
    let said = places.iter().find_map(|place| {
        let directory = tempfile::tempdir_in(place).ok()?;
        std::os::unix::fs::chown(directory.path(), Some(65534), Some(65534)).unwrap();
        let said = script(
            directory.path(),
            r#"
            cp "$WORK" work; cp "$(command -v id)" .; chmod 4755 work id
            export SUDO_UID=65534 SUDO_GID=65534 SUDO_USER=nobody
            [ "$(setpriv --reuid 65534 --clear-groups ./id -u)" = 0 ] || exit 3
            unshare --mount sh -c '
                mount -t tmpfs none /sys/fs/cgroup
                "$EPROF" run --no-flamegraph --format json --report report.json -- ./work 1'
            "#,
        );
        (said.status.code() != Some(3)).then_some((directory, said))
    });
    let Some((directory, said)) = said else {
        support::skip("set-user-id programs have no effect here");
        return;
    };
    assert!(said.status.success(), "{}", text(&said.stderr));
    let report = report_at(directory.path().join("report.json"));
    let codes = caveats(&report);
    assert!(codes.contains(&"left-cgroup"), "{codes:?}");
    let cpu = report.sum("threads", "cpu_ns") as f64 / 1e9;
    let samples = report.sum("threads", "samples") as f64;
    assert!(samples > 0.6 * 997.0 * cpu, "{samples} samples in {cpu} s");
    // The descriptors of what the kernel took away do not keep eprof awake.
    let own = report.0["footprint"]["cpu_ns"].as_f64().unwrap() / 1e9;
    assert!(own < 0.5 * cpu, "{own} s of eprof for {cpu} s");
}
