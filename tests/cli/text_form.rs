//! `eprof dump` and `eprof load`, as somebody uses them who looks into a
//! recording, edits it, and reports what came of it.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{eprof_in, golden, text};

/// A directory with a recording, `a.data`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(golden(), folder.path().join("a.data")).unwrap();
    folder
}

#[track_caller]
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = eprof_in(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    text(&output.stdout)
}

/// What the command says that is given this on standard input.
fn piped(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eprof"));
    command.args(arguments).current_dir(folder);
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that refuses the first line does not read the rest.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

#[test]
fn a_recording_is_dumped_edited_loaded_and_reported() {
    let folder = folder();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    succeeds(folder.path(), &["dump", "a.data", "-o", "a.jsonl"]);
    let dumped = std::fs::read_to_string(at("a.jsonl")).unwrap();
    assert_eq!(dumped, succeeds(folder.path(), &["dump", "a.data"]));
    // It tells what ran when, so it is for its owner.
    let mode = at("a.jsonl").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let before = succeeds(folder.path(), &["report", "a.data", "--by", "thread"]);
    assert!(
        before.contains("cc1 🦀") && !before.contains("edited"),
        "{before}"
    );
    let edited = dumped.replacen("\"comm\":\"cc1 🦀\"", "\"comm\":\"edited\"", 1);
    std::fs::write(at("b.jsonl"), edited).unwrap();
    succeeds(folder.path(), &["load", "b.jsonl", "-o", "b.data"]);
    let after = succeeds(folder.path(), &["report", "b.data", "--by", "thread"]);
    assert!(
        after.contains("edited") && !after.contains("cc1 🦀"),
        "{after}"
    );
    let mode = at("b.data").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // Unedited, the report is the same, to the byte.
    succeeds(folder.path(), &["load", "a.jsonl", "-o", "c.data"]);
    let report = |file| succeeds(folder.path(), &["report", file, "--format", "json"]);
    assert_eq!(report("c.data"), report("a.data"));
}

#[test]
fn an_error_names_the_line_and_an_older_recording_stays() {
    let folder = folder();
    let dumped = succeeds(folder.path(), &["dump", "a.data"]);
    let wrong = dumped.replacen("{\"task\":0,", "{\"task\":77,", 1);
    let number = wrong
        .lines()
        .position(|line| line.contains("{\"task\":77,"))
        .unwrap()
        + 1;
    std::fs::write(folder.path().join("wrong.jsonl"), wrong).unwrap();
    let before = std::fs::read(folder.path().join("a.data")).unwrap();
    let output = eprof_in(folder.path(), &["load", "wrong.jsonl", "-o", "a.data"]);
    assert_eq!(output.status.code(), Some(65), "{output:?}");
    let stderr = text(&output.stderr);
    let expected =
        format!("error: line {number} of wrong.jsonl uses task 77, which it does not define");
    assert!(stderr.starts_with(&expected), "{stderr}");
    assert_eq!(std::fs::read(folder.path().join("a.data")).unwrap(), before);

    let binary = eprof_in(folder.path(), &["load", "a.data", "-o", "b.data"]);
    assert_eq!(binary.status.code(), Some(65), "{binary:?}");
    let missing = eprof_in(folder.path(), &["load", "none.jsonl", "-o", "b.data"]);
    assert_eq!(missing.status.code(), Some(66), "{missing:?}");
    let text_as_recording = eprof_in(folder.path(), &["dump", "wrong.jsonl"]);
    assert_eq!(
        text_as_recording.status.code(),
        Some(65),
        "{text_as_recording:?}"
    );
    assert!(!folder.path().join("b.data").exists());
}

#[test]
fn both_work_in_pipes() {
    let folder = folder();
    let recording = std::fs::read(folder.path().join("a.data")).unwrap();
    let dumped = piped(folder.path(), &["dump", "-"], &recording);
    assert_eq!(
        text(&dumped.stdout),
        succeeds(folder.path(), &["dump", "a.data"])
    );
    let loaded = piped(folder.path(), &["load", "-", "-o", "-"], &dumped.stdout);
    assert!(loaded.status.success(), "{loaded:?}");
    let again = piped(folder.path(), &["dump", "-"], &loaded.stdout);
    assert!(again.stdout == dumped.stdout);

    let wrong = piped(folder.path(), &["load", "-", "-o", "-"], b"{}\n");
    assert_eq!(wrong.status.code(), Some(65));
    assert!(
        text(&wrong.stderr).contains("line 1 of standard input"),
        "{wrong:?}"
    );
}

#[test]
fn merged_recordings_are_dumped_and_loaded_as_one_file() {
    let folder = folder();
    succeeds(
        folder.path(),
        &["merge", "a.data", "a.data", "-o", "all.data"],
    );
    succeeds(folder.path(), &["dump", "all.data", "-o", "all.jsonl"]);
    succeeds(folder.path(), &["load", "all.jsonl", "-o", "again.data"]);
    let report = |file| succeeds(folder.path(), &["report", file]);
    assert_eq!(report("again.data"), report("all.data"));

    // How long each is stands before it, so that a pipe cannot take it.
    let dumped = std::fs::read(folder.path().join("all.jsonl")).unwrap();
    let refused = piped(folder.path(), &["load", "-", "-o", "-"], &dumped);
    assert_eq!(refused.status.code(), Some(66), "{refused:?}");
    assert!(text(&refused.stderr).contains("--output"), "{refused:?}");
}

#[test]
fn what_is_missing_is_said() {
    let folder = folder();
    let whole = std::fs::read(folder.path().join("a.data")).unwrap();
    std::fs::write(folder.path().join("cut.data"), &whole[..whole.len() - 1]).unwrap();
    let dumped = eprof_in(folder.path(), &["dump", "cut.data"]);
    assert!(dumped.status.success(), "{dumped:?}");
    assert!(
        text(&dumped.stderr).contains("warning: cut.data: the recording"),
        "{dumped:?}"
    );
    std::fs::write(folder.path().join("cut.jsonl"), &dumped.stdout).unwrap();
    let loaded = eprof_in(folder.path(), &["load", "cut.jsonl", "-o", "b.data"]);
    assert!(loaded.status.success(), "{loaded:?}");
    assert!(text(&loaded.stderr).contains("no end"), "{loaded:?}");
}
