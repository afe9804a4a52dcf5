//! Debug information that is not in the file that ran, found by its build id;
//! source lines and inlined calls.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::run::{RUN, Report, eprof, record};
use super::target::{compile, possible};
use crate::support::skip;

/// Nearly all of its time is in `inner`, inlined into `outer`.
pub(crate) const WORK: &str = r#"
#include <time.h>
static volatile unsigned long sink;
static inline __attribute__((always_inline)) void inner(int n) {
    for (int i = 0; i < n; i++) sink += i; /* hot */
}
__attribute__((noinline)) void outer(int n) {
    inner(n); /* call */
    sink++;
}
int main(void) {
    clock_t end = clock() + CLOCKS_PER_SEC / 2;
    while (clock() < end) outer(200000);
    return 0;
}
"#;

/// The line of [`WORK`] with `word` in it.
fn line(word: &str) -> usize {
    1 + WORK.lines().position(|line| line.contains(word)).unwrap()
}

/// A program without symbols, and its debug file.
pub(crate) struct Stripped {
    pub(crate) program: PathBuf,
    pub(crate) debug: PathBuf,
    pub(crate) build_id: String,
}

impl Stripped {
    /// `None`, out loud, where the tools are missing.
    pub(crate) fn new(directory: &Path, name: &str, source: &str) -> Option<Self> {
        if Command::new("objcopy").arg("--version").output().is_err() {
            skip("no objcopy");
            return None;
        }
        let program = directory.join(name);
        let debug = directory.join(format!("{name}.debug"));
        compile(&program, source, "cc", &["-Wl,--build-id"]);
        let run = |tool: &str, arguments: &[&str]| {
            let status = Command::new(tool).args(arguments).status().unwrap();
            assert!(status.success());
        };
        let (from, to) = (program.to_str().unwrap(), debug.to_str().unwrap());
        run("objcopy", &["--only-keep-debug", from, to]);
        run("strip", &["--strip-all", from]);
        let notes = Command::new("readelf").args(["-n", from]).output().unwrap();
        let notes = String::from_utf8(notes.stdout).unwrap();
        let (_, id) = notes.split_once("Build ID: ").unwrap();
        let build_id = id.split_whitespace().next().unwrap().to_owned();
        Some(Self {
            program,
            debug,
            build_id,
        })
    }

    /// Where the debug file has to be below a directory of debug files.
    pub(crate) fn place(&self, directory: &Path) -> PathBuf {
        let (first, rest) = self.build_id.split_at(2);
        directory.join(format!(".build-id/{first}/{rest}.debug"))
    }
}

/// The program of these tests, recorded while its names were elsewhere.
pub(crate) fn recorded() -> Option<(tempfile::TempDir, Stripped)> {
    let dir = tempfile::tempdir().unwrap();
    let work = Stripped::new(dir.path(), "work", WORK)?;
    record(dir.path(), &["./work"]);
    Some((dir, work))
}

fn install(file: &Path, place: &Path) {
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::copy(file, place).unwrap();
}

#[test]
fn a_report_finds_by_build_id_what_the_recording_lacks_and_nothing_else() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(work) = Stripped::new(dir.path(), "work", WORK) else {
        return;
    };
    let other = WORK.replace("outer", "wrong").replace("inner", "wrong_too");
    let wrong = Stripped::new(dir.path(), "other", &other).unwrap();
    record(dir.path(), &["./work"]);
    let before = Report::of(dir.path(), &[]);
    assert!(before.nameless() > 0.8);

    // As on another machine: the program is not there, or another one is.
    fs::rename(&wrong.program, &work.program).unwrap();
    let debug = dir.path().join("debug");
    let with = ["--symbol-path", debug.to_str().unwrap()];
    let place = work.place(&debug);
    install(&wrong.debug, &place);
    let mistaken = Report::of(dir.path(), &with);
    assert!(mistaken.nameless() > 0.8);
    assert!(mistaken.share_with("wrong").abs() < f64::EPSILON);

    install(&work.debug, &place);
    let found = Report::of(dir.path(), &with);
    assert!(found.share("inner") > 0.8, "{:?}", found.share("inner"));
    assert!(found.nameless() < 0.1);
    let lines = Report::of(dir.path(), &[&with[..], &["--lines"]].concat());
    let hot = format!("inner work.c:{}", line("hot"));
    assert!(lines.share(&hot) > 0.8);
    let whole = Report::of(dir.path(), &[&with[..], &["--no-inline"]].concat());
    assert!(whole.share("outer") > 0.8);
    assert!(whole.share("inner").abs() < f64::EPSILON);
}

#[test]
fn debug_files_are_found_while_recording() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(work) = Stripped::new(dir.path(), "work", WORK) else {
        return;
    };
    let debug = dir.path().join("debug");
    install(&work.debug, &work.place(&debug));
    let arguments = [&RUN[..], &["--symbol-path", "debug", "--", "./work"]].concat();
    super::run::succeed(&mut eprof(dir.path(), &arguments));
    // The names are in the recording now.
    fs::remove_dir_all(&debug).unwrap();
    fs::remove_file(&work.program).unwrap();
    assert!(Report::of(dir.path(), &[]).share("inner") > 0.8);
}

#[test]
fn source_lines_are_recorded() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work");
    compile(&path, WORK, "cc", &[]);
    record(dir.path(), &["./work"]);
    fs::remove_file(&path).unwrap();
    let report = Report::of(dir.path(), &["--lines"]);
    let hot = format!("inner work.c:{}", line("hot"));
    assert!(report.share(&hot) > 0.8);
    let folded = eprof(dir.path(), &["flamegraph", "--folded", "--lines"]);
    let folded = super::run::succeed(&mut { folded }).stdout;
    let folded = String::from_utf8(folded).unwrap();
    // The line of the call below the line of the code.
    let chain = format!("outer work.c:{};{hot}_[i] ", line("call"));
    assert!(folded.contains(&chain), "{chain}: {folded}");
}
