//! eprof, killed at any moment.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use eprof::error::ErrorKind;
use eprof::launch::run_name::RunName;
use eprof::recording::RecordingFile;
use eprof::recording::file::Samples;

use super::*;

/// What was left of runs that were killed.
#[derive(Debug, Default)]
struct Left {
    /// A recording that can be read, and has intervals.
    readable: usize,
    /// A recording in which there is nothing yet.
    begun: usize,
    /// No new recording.
    none: usize,
    /// A cgroup.
    cgroups: usize,
}

/// The cgroups of the runs of these processes.
fn cgroups(of: &[u32]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let run = RunName::parse(&entry.file_name());
            match run {
                Some(run) if of.contains(&run.pid) => found.push(entry.path()),
                Some(_) => {}
                None => directories.push(entry.path()),
            }
        }
    }
    found
}

/// A run that writes over an older recording, killed after `patience`, which
/// begins with the run (`started`: with the target). Its process id, and how long
/// it took until the target ran, where it came to that.
fn kill(
    older: &[u8],
    patience: Duration,
    started: bool,
    left: &mut Left,
) -> (u32, Option<Duration>) {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    fs::write(file("eprof.data"), older).unwrap();
    fs::write(file("goes-on"), "").unwrap();
    let mut run = Command::new(eprof())
        .current_dir(directory.path())
        .args(["run", "-F", "4999", "--", "sh", "-c"])
        .arg(": > started; while [ -e goes-on ]; do :; done")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    let mut ready = None;
    loop {
        if ready.is_none() && file("started").exists() {
            ready = Some(begin.elapsed());
        }
        let waited = match (started, ready) {
            (true, None) => Duration::ZERO,
            (true, Some(ready)) => begin.elapsed().saturating_sub(ready),
            (false, _) => begin.elapsed(),
        };
        if waited > patience {
            break;
        }
        assert!(run.try_wait().unwrap().is_none(), "the target goes on");
        std::thread::sleep(Duration::from_millis(1));
    }
    run.kill().unwrap();
    assert_eq!(run.wait().unwrap().signal(), Some(libc::SIGKILL));
    left.cgroups += cgroups(&[run.id()]).len();
    // Nobody waits for the target any more.
    fs::remove_file(file("goes-on")).unwrap();

    let new = file("eprof.data");
    let is_older = |path: &Path| fs::read(path).is_ok_and(|bytes| bytes == older);
    if is_older(&new) {
        left.none += 1;
        return (run.id(), ready);
    }
    assert!(
        is_older(&file("eprof.data.old")),
        "the older recording is lost"
    );
    if !new.exists() {
        left.none += 1;
        return (run.id(), ready);
    }
    match RecordingFile::open(&new) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Data, "{error}");
            left.begun += 1;
        }
        Ok(recording) => {
            let intervals = recording.intervals(Samples::Read).unwrap();
            assert!(intervals.map(Result::unwrap).count() > 0 || !started);
            let caveats = recording.catalog.caveats.iter();
            let codes: Vec<_> = caveats.map(|caveat| caveat.code.as_str()).collect();
            assert!(codes.contains(&"recording-unfinished"), "{codes:?}");
            assert_balanced(&new);
            left.readable += 1;
        }
    }
    (run.id(), ready)
}

fn trial(count: usize) -> Option<Left> {
    if !root() {
        return None;
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/recording-7.data");
    let older = fs::read(golden).unwrap();
    let mut dice = Dice::new(seed());
    let mut left = Left::default();
    // How long the start takes here is not known before.
    let mut start = Duration::from_millis(300);
    let mut runs = Vec::new();
    for number in 0..count {
        // While it starts and just after, and while it measures.
        let started = number % 2 == 1;
        let most = if started {
            Duration::from_millis(400)
        } else {
            start * 5 / 4
        };
        let patience = most.mul_f64(dice.uniform());
        let (run, ready) = kill(&older, patience, started, &mut left);
        start = ready.unwrap_or(start);
        runs.push(run);
    }
    // The next run clears what they left, and is not disturbed by it.
    let after = support::Recorded::run(&[], &["true"]);
    assert_eq!(after.code(), 0, "{}", after.stderr());
    after.report().assert_balanced();
    assert_eq!(cgroups(&runs), Vec::<PathBuf>::new());
    assert_eq!(left.readable + left.begun + left.none, count);
    Some(left)
}

#[test]
fn a_killed_run_leaves_what_can_be_read_and_the_older_recording() {
    if let Some(left) = trial(6) {
        assert!(left.readable > 0, "{left:?}");
    }
}

#[test]
#[ignore = "minutes: a trial of docs/reliability.md"]
fn killed_two_hundred_times() {
    eprintln!("200 runs, killed: {:?}", trial(200));
}
