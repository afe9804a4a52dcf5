//! The command line from outside: help, versions, garbage in every option and
//! in every file, exit codes, broken pipes. Needs no privilege.

mod text_form;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{self, eprof, eprof_in};

fn run(arguments: &[&str]) -> Output {
    eprof_in(&std::env::temp_dir(), arguments)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A recording that is kept in the repository.
fn golden() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let mut found: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "data"))
        .collect();
    found.sort();
    found.into_iter().next().expect("a golden recording")
}

#[test]
fn every_command_has_help_with_examples() {
    for command in [
        "run",
        "stat",
        "merge",
        "dump",
        "load",
        "report",
        "flamegraph",
        "export",
        "calibrate",
        "list",
        "doctor",
        "completions",
        "man",
    ] {
        let help = run(&[command, "--help"]);
        assert!(help.status.success(), "{command}");
        let help = text(&help.stdout);
        assert!(help.contains("Example"), "{command}: {help}");
        assert!(help.contains("eprof "), "{command}: {help}");
    }
    let help = text(&run(&["--help"]).stdout);
    assert!(help.contains("Exit codes"), "{help}");
}

#[test]
fn the_version_names_the_kernel_programs() {
    let version = run(&["--version"]);
    assert!(version.status.success());
    let version = text(&version.stdout);
    let object = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpf/eprof.bpf.o");
    let hash: String = {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(std::fs::read(object).unwrap());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    assert!(
        version.contains(&hash[..8]),
        "{version} does not name {hash}"
    );
    assert!(version.contains("prebuilt"), "{version}");
}

#[test]
fn completions_exist_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        assert!(script.status.success(), "{shell}");
        assert!(text(&script.stdout).contains("flamegraph"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page_with_all_its_options() {
    let directory = tempfile::tempdir().unwrap();
    let written = run(&["man", directory.path().to_str().unwrap()]);
    assert!(written.status.success(), "{written:?}");
    let help = text(&run(&["--help"]).stdout);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.contains(&"run"), "{help}");
    for command in commands {
        let page = directory.path().join(format!("eprof-{command}.1"));
        let page = std::fs::read_to_string(page).unwrap().replace("\\-", "-");
        let help = text(&run(&[command, "--help"]).stdout);
        let options = help
            .split_whitespace()
            .filter(|word| word.starts_with("--"));
        for option in options {
            let name = option.trim_end_matches(|c: char| !c.is_ascii_lowercase());
            assert!(page.contains(name), "{command} {option}");
        }
    }
    let whole = text(&run(&["man"]).stdout);
    assert!(whole.contains(".TH eprof 1"), "{whole}");
}

#[test]
fn a_recording_comes_on_standard_input_and_output_goes_to_standard_output() {
    let recording = golden();
    let name = recording.to_str().unwrap();
    let piped = |arguments: &[&str]| {
        let file = std::fs::File::open(&recording).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_eprof"));
        command.args(arguments).stdin(file).output().unwrap()
    };
    for arguments in [
        &["report"][..],
        &["report", "--format", "json"],
        &["flamegraph", "--folded"],
        &["flamegraph", "-o", "-"],
        &["export", "--format", "timeseries-csv"],
        &["plot", "-o", "-"],
    ] {
        let of_file = run(&[arguments, &[name]].concat());
        let of_input = piped(&[arguments, &["-"]].concat());
        assert!(of_file.status.success(), "{arguments:?}");
        assert!(!of_file.stdout.is_empty(), "{arguments:?}");
        assert_eq!(of_input.stdout, of_file.stdout, "{arguments:?}");
    }
    let twice = piped(&["diff", "-", "-"]);
    assert_eq!(twice.status.code(), Some(2), "{twice:?}");
    assert_eq!(piped(&["diff", "-", name]).status.code(), Some(0));
}

#[test]
fn garbage_in_an_option_is_a_usage_error_in_words() {
    for arguments in [
        &["run"][..],
        &["run", "--frequency", "fast", "--", "true"],
        &["run", "--frequency", "99999999999999999999", "--", "true"],
        &["run", "--interval", "0ms", "--", "true"],
        &["run", "--interval", "soon", "--", "true"],
        &["run", "--duration", "-1s", "--", "true"],
        &["run", "--delay", "NaN", "--", "true"],
        &["run", "--source", "the-sun", "--", "true"],
        &["run", "--weights", "feathers", "--", "true"],
        &["run", "--format", "xml", "--", "true"],
        &["run", "--idle-power", "12 parsecs", "--", "true"],
        &["run", "--idle-power", "package=-1W", "--", "true"],
        &["stat"],
        &["merge", "a.data"],
        &["merge", "-o", "all.data"],
        &["load", "a.jsonl"],
        &["load", "-o", "a.data"],
        &["dump", "a.data", "b.data"],
        &["run", "-o", "%z.data", "--", "true"],
        &["run", "--repeat", "0", "--", "true"],
        &["report", "--carbon", "380"],
        &["stat", "-r", "0", "--", "true"],
        &["stat", "--", "true", "--"],
        &["stat", "-n", "a/b", "--", "true"],
        &["stat", "-n", "a", "-n", "b", "--", "true"],
        &["report", "--by", "colour"],
        &["report", "--limit", "-3"],
        &["report", "--sort", "taste"],
        &["report", "--format", "xml"],
        &["report", "--by", "cpu", "--sort", "samples"],
        &["completions", "tcl"],
        &["unknown-command"],
        &["--unknown-option"],
    ] {
        let output = run(arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_file_that_is_no_recording_is_told_apart_from_none() {
    let folder = tempfile::tempdir().unwrap();
    let missing = eprof_in(folder.path(), &["report"]);
    assert_eq!(missing.status.code(), Some(66), "{}", text(&missing.stderr));
    assert!(text(&missing.stderr).contains("eprof.data"));

    for (name, contents) in [
        ("empty", &b""[..]),
        ("text", b"hello, world\n"),
        ("elf", &std::fs::read(eprof()).unwrap()[..4096]),
    ] {
        std::fs::write(folder.path().join(name), contents).unwrap();
        for command in ["report", "flamegraph"] {
            let output = eprof_in(folder.path(), &[command, name]);
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(65), "{name}: {stderr}");
            assert!(stderr.starts_with("error: "), "{stderr}");
        }
    }
    let directory = eprof_in(folder.path(), &["report", "."]);
    assert_eq!(directory.status.code(), Some(66));
}

#[test]
fn a_damaged_recording_is_an_error_or_a_caveat_but_never_a_panic() {
    let whole = std::fs::read(golden()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.data");
    // A fixed sequence (Knuth's multiplicative generator), so that a failure
    // can be repeated.
    let mut state = 1_u64;
    let mut next = |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    for round in 0..150 {
        let mut bytes = whole.clone();
        match round % 3 {
            0 => bytes.truncate(next(whole.len())),
            1 => {
                let at = next(whole.len());
                bytes[at] ^= 1 << next(8);
            }
            _ => {
                let at = next(whole.len());
                let end = (at + next(64)).min(whole.len());
                bytes.drain(at..end);
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        let output = eprof_in(
            folder.path(),
            &["report", "damaged.data", "--format", "json"],
        );
        let stderr = text(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(0 | 65)),
            "round {round}: {:?} {stderr}",
            output.status
        );
        if output.status.success() {
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            if !report["energy_uj"].is_null() {
                support::Report(report).assert_balanced();
            }
        }
    }
}

#[test]
fn the_golden_recording_is_reported_the_same_way_each_time() {
    let path = golden();
    let path = path.to_str().unwrap();
    for arguments in [
        &["report", path][..],
        &["report", path, "--format", "json"],
        &["report", path, "--by", "function", "--format", "csv"],
        &["flamegraph", path, "--folded"],
    ] {
        let (first, second) = (run(arguments), run(arguments));
        assert!(
            first.status.success(),
            "{arguments:?}: {}",
            text(&first.stderr)
        );
        assert!(!first.stdout.is_empty());
        assert_eq!(first.stdout, second.stdout, "{arguments:?}");
        assert!(
            !first.stdout.contains(&0x1b),
            "no escapes in a pipe: {arguments:?}"
        );
    }
}

/// `eprof report` of the golden recording, with `EPROF_LOG` set to `value`.
fn logged(value: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eprof"));
    command.env("EPROF_LOG", value);
    command.arg("report").arg(golden()).output().unwrap()
}

/// The steps of a report, in their order.
fn assert_names_the_steps(log: &str) {
    let mut rest = log;
    for step in [
        "eprof::cli::log",
        "looked up names",
        "read a recording",
        "recording-",
        "attributed the energy",
    ] {
        let at = rest.find(step);
        let at = at.unwrap_or_else(|| panic!("{step} is not told, or not there: {log}"));
        rest = &rest[at + step.len()..];
    }
}

#[test]
fn the_log_names_the_steps_and_leaves_standard_output_alone() {
    let plain = run(&["report", golden().to_str().unwrap()]);
    assert!(plain.status.success(), "{plain:?}");
    assert!(plain.stderr.is_empty(), "{plain:?}");

    let on_stderr = logged("debug");
    assert!(on_stderr.status.success(), "{on_stderr:?}");
    assert_eq!(on_stderr.stdout, plain.stdout);
    assert_names_the_steps(&text(&on_stderr.stderr));

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a,b.log");
    let in_file = logged(&format!("debug,{}", file.display()));
    assert_eq!(in_file.stdout, plain.stdout);
    assert!(in_file.stderr.is_empty(), "{in_file:?}");
    assert_names_the_steps(&std::fs::read_to_string(&file).unwrap());

    let quiet = logged("error");
    assert!(quiet.stderr.is_empty(), "{quiet:?}");
    assert_eq!(quiet.stdout, plain.stdout);
}

#[test]
fn a_log_that_cannot_be_had_is_an_error_in_words() {
    let refused = logged("loud");
    let message = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{message}");
    assert!(refused.stdout.is_empty(), "{refused:?}");
    assert!(message.contains("EPROF_LOG=loud"), "{message}");
    let hint = message.lines().find(|line| line.starts_with("hint: "));
    assert!(
        hint.is_some_and(|hint| hint.contains("debug,")),
        "{message}"
    );

    let nowhere = logged("debug,/nonexistent/eprof.log");
    assert_eq!(nowhere.status.code(), Some(66), "{nowhere:?}");
    assert!(nowhere.stdout.is_empty(), "{nowhere:?}");
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    let path = golden();
    for arguments in [
        &["report", "--format", "json"][..],
        &["flamegraph", "--folded"],
        &["completions", "bash"],
        &["list"],
    ] {
        let mut command = Command::new(eprof());
        command.args(arguments);
        if arguments[0] == "report" || arguments[0] == "flamegraph" {
            command.arg(&path);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        let status = child.wait().unwrap();
        assert!(status.success(), "{arguments:?}: {status:?} {stderr}");
        assert_eq!(stderr, "", "{arguments:?}");
    }
}

#[test]
fn list_and_doctor_answer_in_text_and_json() {
    for (command, codes) in [("list", &[0][..]), ("doctor", &[0, 3, 4])] {
        let table = run(&[command]);
        assert!(
            codes.contains(&table.status.code().unwrap()),
            "{command}: {}",
            text(&table.stderr)
        );
        assert!(text(&table.stdout).contains("model") || command == "doctor");
        let json = run(&[command, "--format", "json"]);
        assert_eq!(json.status.code(), table.status.code(), "{command}");
        let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(json["schema"], format!("eprof-{command}/1"));
    }
}
