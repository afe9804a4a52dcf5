//! A failure at every system call of a run, one after the other. eprof runs as under
//! sudo, so that files are made by threads that are somebody else.
//!
//! A seccomp filter hands each system call of eprof to this test, which lets it pass, or
//! answers it with an error (seccomp_unotify(2)). A first run counts. Then, for each kind
//! of call that eprof made after it had begun, runs follow in which the first, the second,
//! the last and some between them fail, as they would without memory, descriptors, threads
//! or room on the disk. With `EPROF_FAULT=every` each single one does (some ten minutes),
//! with the name of a call only that.
//!
//! However it ends: within the time, without a panic, in one sentence, with the target's
//! exit code or one that is documented, with the target gone, and with the older recording
//! or a new one that reads.

mod tap;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use eprof::recording::{RecordingFile, Samples};

use crate::support;
use tap::{Ended, Fault, Kind};

/// The target's own exit code.
const TARGET: i32 = 7;

/// The codes by which eprof says what went wrong (`docs/reading-reports.md`).
const DOCUMENTED: [i32; 7] = [65, 66, 69, 70, 77, 126, 127];

/// About so many of each kind fail.
const BETWEEN: u64 = 5;

/// So many runs at a time: most of each is waiting.
const AT_ONCE: usize = 4;

/// A directory with an older recording, in which eprof is run.
fn prepared(older: &[u8]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("eprof.data");
    std::fs::write(&recording, older).unwrap();
    for path in [directory.path(), &recording] {
        std::os::unix::fs::chown(path, Some(tap::CALLER), Some(tap::CALLER)).unwrap();
    }
    directory
}

/// Runs eprof with one fault, or with none.
fn run(directory: &Path, fault: Option<Fault>) -> Ended {
    let script = "echo $$ > pid; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 7";
    let arguments = ["run", "--no-flamegraph", "--", "sh", "-c", script];
    tap::run(&support::eprof(), &arguments, directory, fault)
}

/// What is wrong about how a run ended; nothing, if all is well.
fn complaints(directory: &Path, older: &[u8], ended: &Ended) -> Vec<String> {
    let mut wrong = Vec::new();
    if ended.hung {
        wrong.push("hangs".to_owned());
        return wrong;
    }
    let code = match ended.code {
        Some(code) => code,
        None => {
            wrong.push(format!("was killed: {:?}", ended.status));
            return wrong;
        }
    };
    let errors = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "));
    let errors = errors.count();
    if ended.stderr.contains("panicked") || ended.stderr.contains("RUST_BACKTRACE") {
        wrong.push("panics".to_owned());
    }
    if code != TARGET && !DOCUMENTED.contains(&code) {
        wrong.push(format!("exit code {code}"));
    }
    // Where the fault hits standard error itself, nobody can be told.
    if code != TARGET && errors != 1 && !ended.stderr_failed {
        wrong.push(format!("exit code {code} with {errors} sentences"));
    }
    if ended.orphan {
        wrong.push("the target outlives eprof".to_owned());
    }
    let at = |name: &str| directory.join(name);
    let kept = ["eprof.data", "eprof.data.old"]
        .iter()
        .any(|name| std::fs::read(at(name)).is_ok_and(|bytes| bytes == older));
    if !kept {
        wrong.push("the older recording is gone".to_owned());
    }
    let here = std::fs::read(at("eprof.data")).unwrap_or_default();
    if here != older
        && let Err(error) = readable(&at("eprof.data"))
    {
        wrong.push(format!("the new recording: {error}"));
    }
    let drafts = std::fs::read_dir(directory).unwrap();
    let drafts = drafts.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().ends_with(".draft")
    });
    // The removal itself may be what failed.
    let removes = ["unlink", "unlinkat"];
    if drafts.count() > 0 && !ended.fault.is_some_and(|of| removes.contains(&of.name())) {
        wrong.push("leaves a draft".to_owned());
    }
    wrong
}

fn readable(path: &Path) -> eprof::error::Result<()> {
    let recording = RecordingFile::open(path)?;
    for interval in recording.intervals(Samples::Read)? {
        interval?;
    }
    Ok(())
}

#[test]
fn a_failure_at_any_system_call_ends_well() {
    if !support::root() {
        return;
    }
    let made = support::Recorded::run(&["--no-flamegraph"], &["true"]);
    let older = std::fs::read(made.path("eprof.data")).unwrap();
    let directory = prepared(&older);
    let counted = run(directory.path(), None);
    assert_eq!(counted.code, Some(TARGET), "{}", counted.stderr);
    assert_eq!(complaints(directory.path(), &older, &counted), [""; 0]);

    let only = std::env::var("EPROF_FAULT").ok();
    let every = only.as_deref() == Some("every");
    let only = only.filter(|_| !every);
    let mut faults = Vec::new();
    for (&number, &count) in &counted.calls {
        let kind = Kind(number);
        if kind.cannot_fail() || only.as_ref().is_some_and(|only| only != kind.name()) {
            continue;
        }
        let step = match every {
            true => 1,
            false => count.div_ceil(BETWEEN).max(1),
        };
        let mut occurrences: Vec<u64> = (1..=count).step_by(step as usize).collect();
        occurrences.extend([2, count]);
        occurrences.retain(|at| *at <= count);
        occurrences.sort_unstable();
        occurrences.dedup();
        faults.extend(occurrences.into_iter().map(|at| Fault { kind, at }));
    }
    let all = faults.len();
    let kinds: BTreeMap<_, _> = counted
        .calls
        .iter()
        .map(|(number, count)| (Kind(*number).name(), *count))
        .collect();
    let calls: u64 = counted.calls.values().sum();

    let left = Arc::new(Mutex::new(faults));
    let (struck, bad) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(fault) = left.lock().unwrap().pop() else {
                        break;
                    };
                    let directory = prepared(&older);
                    let ended = run(directory.path(), Some(fault));
                    struck.fetch_add(usize::from(ended.struck), Relaxed);
                    let wrong = complaints(directory.path(), &older, &ended);
                    if !wrong.is_empty() {
                        let stderr = ended.stderr.trim();
                        let line = format!("{fault}: {}\n    {stderr}", wrong.join("; "));
                        bad.lock().unwrap().push(line);
                    }
                }
            });
        }
    });
    let (struck, bad) = (struck.into_inner(), bad.into_inner().unwrap());
    println!(
        "{calls} system calls of {} kinds: {all} failures, {struck} of which struck",
        kinds.len()
    );
    assert!(
        bad.is_empty(),
        "{} of {all}:\n{}",
        bad.len(),
        bad.join("\n")
    );
    // A run does not make the same calls each time, but nearly.
    assert!(
        struck * 10 >= all * 8,
        "{struck} of {all} struck: {kinds:?}"
    );
}
