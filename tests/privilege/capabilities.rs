//! File capabilities and the set-user-id bit: raised for the kernel and the meters
//! only.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

/// What nobody but root may read, and the tests look for.
const SECRET: &str = "s3cret-of-root";

/// A file of root's with the secret in it.
fn secret() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&file, private).unwrap();
    file
}

/// Every installation that gives eprof more than its user has.
fn elevated() -> Vec<Installed> {
    let effective = format!("{CAPABILITIES}+ep");
    let permitted = format!("{CAPABILITIES}+p");
    [
        Installed::with_capabilities(&effective),
        Installed::with_capabilities(&permitted),
        Installed::with_root(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn capabilities_measure_for_a_plain_user() {
    for installed in elevated() {
        let run = installed.as_nobody(&[
            "run",
            "--format",
            "json",
            "--report",
            "report.json",
            "--",
            "sh",
            "-c",
            "id -u; grep -e CapEff -e CapPrm -e CapInh /proc/self/status; i=0; \
             while [ $i -lt 300000 ]; do i=$((i+1)); done",
        ]);
        assert!(run.status.success(), "{}", said(&run));
        let none = "0000000000000000";
        assert_eq!(
            text(&run.stdout),
            format!("65534\nCapInh:\t{none}\nCapPrm:\t{none}\nCapEff:\t{none}\n"),
            "the command has nothing of it"
        );
        let report = std::fs::read(installed.work.path().join("report.json")).unwrap();
        let report = support::Report(serde_json::from_slice(&report).unwrap());
        report.assert_balanced();
        let samples = report.sum("threads", "samples");
        assert!(samples > 0, "{:#}", report.0);
        let coarse = report
            .rows("caveats")
            .iter()
            .any(|row| row["code"] == "coarse");
        assert!(coarse, "{:#}", report.0["caveats"]);
        for file in ["eprof.data", "eprof.svg", "report.json"] {
            let owner = std::fs::metadata(installed.work.path().join(file))
                .unwrap()
                .uid();
            assert_eq!(owner, NOBODY, "{file}");
        }
    }
}

#[test]
fn no_file_of_another_user_is_read_by_capabilities() {
    let secret = secret();
    let path = secret.path().to_str().unwrap();
    for installed in elevated() {
        let work = installed.work.path();
        // A recording of root's.
        let recording = work.join("root.data");
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
        let some = std::fs::read_dir(golden)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|ending| ending == "data"));
        std::fs::copy(some.unwrap(), &recording).unwrap();
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&recording, private).unwrap();
        for arguments in [
            vec!["report", "root.data"],
            vec!["dump", "root.data"],
            vec!["export", "--format", "folded", "root.data"],
            vec!["merge", "-o", "merged.data", "root.data", "root.data"],
            vec!["diff", "root.data", "root.data"],
            vec!["flamegraph", "root.data"],
            vec!["plot", "root.data"],
        ] {
            let read = installed.as_nobody(&arguments);
            assert_eq!(
                read.status.code(),
                Some(77),
                "{arguments:?}: {}",
                said(&read)
            );
        }
        for arguments in [
            vec!["calibrate", "--from", path],
            vec!["load", path, "-o", "loaded.data"],
            vec!["report", path],
        ] {
            let read = installed.as_nobody(&arguments);
            assert!(!read.status.success(), "{arguments:?}");
            assert!(
                !said(&read).contains(SECRET),
                "{arguments:?}: {}",
                said(&read)
            );
        }
    }
}

#[test]
fn what_the_caller_says_does_not_widen_what_is_read() {
    let secret = secret();
    for installed in elevated() {
        let tree = installed.work.path().join("root");
        std::fs::create_dir_all(tree.join("proc/sys/kernel")).unwrap();
        symlink(secret.path(), tree.join("proc/sys/kernel/osrelease")).unwrap();
        let tree = tree.to_str().unwrap();
        let mut by_environment = installed.command(&installed.eprof());
        let by_environment = by_environment
            .arg("doctor")
            .env("EPROF_SYSROOT", tree)
            .env("DEBUGINFOD_URLS", "http://127.0.0.1:1")
            .env("XDG_CONFIG_HOME", tree)
            .env("XDG_CACHE_HOME", tree)
            .env("EPROF_VERIFIER_LOG", "verifier.log")
            .env("EPROF_LOG", "debug,eprof.log")
            .output()
            .unwrap();
        let by_option = installed.as_nobody(&["--sysroot", tree, "doctor"]);
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        for output in [&by_environment, &by_option] {
            assert!(!said(output).contains(SECRET), "{}", said(output));
            assert!(said(output).contains(release.trim()), "{}", said(output));
            let warnings = text(&output.stderr);
            assert_eq!(warnings.lines().count(), 1, "one sentence: {warnings}");
        }
        let warnings = text(&by_environment.stderr);
        for name in [
            "EPROF_SYSROOT",
            "DEBUGINFOD_URLS",
            "XDG_CONFIG_HOME",
            "XDG_CACHE_HOME",
            "EPROF_VERIFIER_LOG",
            "EPROF_LOG",
        ] {
            assert!(warnings.contains(name), "{name}: {warnings}");
        }
        assert!(text(&by_option.stderr).contains("--sysroot"));
        let run = [
            "run",
            "-q",
            "--no-flamegraph",
            "--symbol-path",
            tree,
            "--",
            "true",
        ];
        let run = installed.as_nobody(&run);
        assert!(run.status.success(), "{}", said(&run));
        assert!(
            text(&run.stderr).contains("--symbol-path"),
            "{}",
            said(&run)
        );
        for file in ["verifier.log", "eprof.log"] {
            assert!(!installed.work.path().join(file).exists(), "{file}");
        }
    }
}

#[test]
fn no_file_of_another_user_is_written_by_capabilities() {
    let secret = secret();
    let path = secret.path().to_str().unwrap();
    for installed in elevated() {
        let link = installed.work.path().join("link");
        symlink(secret.path(), &link).unwrap();
        // A name in the place of the link is the caller's; nothing goes through it.
        for (options, refused) in [
            (["run", "-q", "--no-flamegraph", "-o", path], true),
            (["run", "-q", "-o", "/dev/null", "--flamegraph=link"], false),
            (["run", "-q", "--no-flamegraph", "--report", path], true),
            (["run", "-q", "--no-flamegraph", "-o", "link"], false),
        ] {
            let run = installed.as_nobody(&[&options[..], &["--", "true"]].concat());
            assert_eq!(
                run.status.code() != Some(0),
                refused,
                "{options:?}: {}",
                said(&run)
            );
            let kept = std::fs::read_to_string(secret.path()).unwrap();
            assert_eq!(kept, format!("{SECRET}\n"), "{options:?}");
        }
        for variable in ["EPROF_VERIFIER_LOG", "EPROF_LOG"] {
            let value = match variable {
                "EPROF_LOG" => format!("trace,{path}"),
                _ => path.to_owned(),
            };
            let run = installed
                .command(&installed.eprof())
                .args(["run", "-q", "--no-flamegraph", "--", "true"])
                .env(variable, value)
                .output()
                .unwrap();
            assert!(said(&run).contains(variable), "{}", said(&run));
            let kept = std::fs::read_to_string(secret.path()).unwrap();
            assert_eq!(kept, format!("{SECRET}\n"), "{variable}");
        }
    }
}

/// The word that makes eprof a helper can be typed by anybody.
#[test]
fn a_helper_by_hand_has_nothing_of_the_files_rights() {
    for installed in elevated() {
        let (_ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut helper = installed
            .command(&installed.eprof())
            .arg("__names")
            .stdin(std::os::fd::OwnedFd::from(theirs))
            .spawn()
            .unwrap();
        let begin = std::time::Instant::now();
        // It waits for what it is to do: then it has given up all.
        let status = loop {
            let path = format!("/proc/{}/status", helper.id());
            let status = std::fs::read_to_string(path).unwrap();
            let waits =
                status.contains("State:\tS") && status.contains("CapPrm:\t0000000000000000");
            if waits || begin.elapsed() > std::time::Duration::from_secs(10) {
                break status;
            }
            std::thread::yield_now();
        };
        helper.kill().unwrap();
        helper.wait().unwrap();
        assert!(status.contains("CapPrm:\t0000000000000000"), "{status}");
        assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
        assert!(
            status.contains("Uid:\t65534\t65534\t65534\t65534"),
            "{status}"
        );
    }
}

#[test]
fn the_command_gets_what_the_loader_takes_from_eprof() {
    for installed in elevated() {
        let mut command = installed.command(&installed.eprof());
        let output = command
            .args(["run", "-q", "--no-flamegraph", "--"])
            .args([
                "sh",
                "-c",
                "echo $LD_LIBRARY_PATH $TMPDIR $EPROF_SYSROOT $PLAIN",
            ])
            .env("LD_LIBRARY_PATH", "/nowhere/lib")
            .env("TMPDIR", "/nowhere/tmp")
            .env("EPROF_SYSROOT", "/nowhere/root")
            .env("PLAIN", "a=b")
            .output()
            .unwrap();
        assert_eq!(
            text(&output.stdout),
            "/nowhere/lib /nowhere/tmp /nowhere/root a=b\n",
            "{}",
            said(&output)
        );
    }
}

/// The kernel's own list says where it lies; the recording must not.
#[test]
fn a_recording_by_capabilities_does_not_say_where_the_kernel_lies() {
    for installed in elevated() {
        let script = "for i in $(seq 50); do head -c 100000 /dev/zero > /dev/null; done";
        let run = installed.as_nobody(&["run", "-q", "--no-flamegraph", "--", "sh", "-c", script]);
        assert!(run.status.success(), "{}", said(&run));
        let dump = installed.as_nobody(&["dump", "eprof.data"]);
        let mut frames = 0;
        for line in text(&dump.stdout).lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let Some(kernel) =
                find(&value, "kernel").filter(|frame| frame["address"] != serde_json::Value::Null)
            else {
                continue;
            };
            frames += 1;
            let address = &kernel["address"];
            let number = address.as_u64().or_else(|| {
                let digits = address.as_str()?.trim_start_matches("0x");
                u64::from_str_radix(digits, 16).ok()
            });
            assert!(number.is_some_and(|number| number < 1 << 32), "{line}");
        }
        assert!(frames > 0, "kernel code ran, too");
        let report = installed.as_nobody(&["report", "--by", "function", "eprof.data"]);
        assert!(
            text(&report.stdout).contains("[kernel]"),
            "{}",
            said(&report)
        );
    }
}

/// The member `key`, wherever it is.
fn find<'v>(value: &'v serde_json::Value, key: &str) -> Option<&'v serde_json::Value> {
    match value {
        serde_json::Value::Object(members) => members
            .get(key)
            .or_else(|| members.values().find_map(|member| find(member, key))),
        serde_json::Value::Array(items) => items.iter().find_map(|item| find(item, key)),
        _ => None,
    }
}

#[test]
fn meters_are_read_once_a_second_by_capabilities() {
    for installed in elevated() {
        let mut command = installed.command(&installed.eprof());
        let run = command
            .args(["run", "-q", "--no-flamegraph", "--interval", "1ms", "--"])
            .args(["sleep", "1.5"])
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", said(&run));
        let rows = installed.as_nobody(&["export", "--format", "timeseries-csv", "eprof.data"]);
        let rows = text(&rows.stdout);
        // Not even the last interval is shorter, which ends after the target.
        let lengths: Vec<u64> = rows
            .lines()
            .skip(1)
            .map(|row| {
                let mut times = row.split(',').map(|cell| cell.parse::<u64>().unwrap());
                let begin = times.next().unwrap();
                times.next().unwrap() - begin
            })
            .collect();
        assert!((1..=3).contains(&lengths.len()), "{rows}");
        assert!(lengths.iter().all(|length| *length > 700_000_000), "{rows}");
    }
}

#[test]
fn a_group_alone_can_be_given_eprof() {
    let Some(installed) = Installed::with_capabilities(&format!("{CAPABILITIES}+p")) else {
        return;
    };
    let everybody = installed.as_nobody(&["doctor"]);
    let line = |output: &Output| {
        let lines = text(&output.stdout);
        let line = lines.lines().find(|line| line.contains("capabilities  "));
        line.unwrap_or_else(|| panic!("{lines}")).to_owned()
    };
    assert!(
        line(&everybody).starts_with("degraded"),
        "{}",
        said(&everybody)
    );
    assert!(line(&everybody).contains("PLATYPUS"));
    assert!(text(&everybody.stdout).contains("chmod 0750"));
    // The recipe's order: changing the owner takes capabilities away.
    let recipe = format!(
        "chgrp 65534 {0} && chmod 0750 {0} && setcap {CAPABILITIES}+p {0}",
        installed.eprof().display()
    );
    let done = Command::new("sh").args(["-ec", &recipe]).status().unwrap();
    assert!(done.success());
    let member = installed.as_nobody(&["doctor"]);
    assert!(line(&member).starts_with("ok"), "{}", said(&member));
    let stranger = Command::new(installed.eprof())
        .arg("doctor")
        .uid(65_533)
        .gid(65_533)
        .output();
    let refused = stranger.map_err(|error| error.kind());
    assert_eq!(refused.err(), Some(std::io::ErrorKind::PermissionDenied));
}
