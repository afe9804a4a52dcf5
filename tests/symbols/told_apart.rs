//! Functions that are easily taken for one: of one name, or of none.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::run::{Report, record};
use super::target::{compile, possible};
use crate::support::skip;

/// Functions of one short name in two namespaces, which work three to one.
const NAMESPACES: &str = r#"
#include <ctime>
static double now() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}
volatile unsigned long sink;
#define STEP __attribute__((noinline)) void step(double seconds) { \
    double end = now() + seconds;                                  \
    while (now() < end)                                            \
        for (int i = 0; i < 200000; i++) sink += i;                \
}
namespace parser { static STEP void run() { step(0.45); sink++; } }
namespace render { namespace { STEP } void run() { step(0.15); sink++; } }
int main() { parser::run(); render::run(); }
"#;

/// The same in C, for a program without names.
const STATIC: &str = r#"
#include <time.h>
static volatile unsigned long sink;
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}
static __attribute__((noinline)) void heavy(void) {
    double end = now() + 0.45;
    while (now() < end) for (int i = 0; i < 200000; i++) sink += i;
}
static __attribute__((noinline)) void light(void) {
    double end = now() + 0.15;
    while (now() < end) for (int i = 0; i < 200000; i++) sink += i * 3;
}
int main(void) { heavy(); light(); return 0; }
"#;

fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        skip(&format!("no {tool}"));
    }
    found
}

fn is_about(share: f64, truth: f64) {
    assert!((share - truth).abs() < 0.1, "{share} is not {truth}");
}

#[test]
fn functions_of_one_short_name_are_told_apart() {
    if !possible() || !has("g++") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("work.cc");
    fs::write(&source, NAMESPACES).unwrap();
    // gcc writes no linkage names of functions that no other file can call.
    let status = Command::new("g++")
        .args(["-O1", "-g", "-o"])
        .arg(dir.path().join("work"))
        .arg(&source)
        .status();
    assert!(status.unwrap().success());
    record(dir.path(), &["./work"]);
    let report = Report::of(dir.path(), &["--no-inline"]);
    is_about(report.share_with("parser::step"), 0.75);
    is_about(
        report.share_with("render::(anonymous namespace)::step"),
        0.25,
    );
}

#[test]
fn functions_without_names_are_told_apart_by_their_beginnings() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work");
    compile(&path, STATIC, "cc", &["-O2"]);
    let begins = |name: &str| {
        let output = Command::new("nm").arg(&path).output().unwrap();
        let symbols = String::from_utf8(output.stdout).unwrap();
        let line = symbols
            .lines()
            .find(|line| line.ends_with(&format!(" t {name}")));
        let address = line.unwrap().split(' ').next().unwrap().to_owned();
        format!("fun_{}", address.trim_start_matches('0'))
    };
    let (heavy, light) = (begins("heavy"), begins("light"));
    assert!(Command::new("strip").arg(&path).status().unwrap().success());
    record(dir.path(), &["./work"]);
    let report = Report::of(dir.path(), &[]);
    is_about(report.share(&heavy), 0.75);
    is_about(report.share(&light), 0.25);
}

/// Puts the names of `program` into a file of their own, which a link in it names.
fn part(program: &Path, debug: &Path) {
    let run = |arguments: &[&str]| {
        let status = Command::new("objcopy").args(arguments).status().unwrap();
        assert!(status.success());
    };
    let (program, debug) = (program.to_str().unwrap(), debug.to_str().unwrap());
    run(&["--only-keep-debug", program, debug]);
    run(&["--strip-all", program]);
    run(&[&format!("--add-gnu-debuglink={debug}"), program]);
}

#[test]
fn debug_files_are_looked_for_in_a_directory_beside_the_program() {
    if !possible() || !has("objcopy") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work");
    compile(&path, STATIC, "cc", &["-O2", "-Wl,--build-id=none"]);
    let hidden = dir.path().join(".debug");
    fs::create_dir(&hidden).unwrap();
    part(&path, &hidden.join("work.debug"));
    record(dir.path(), &["./work"]);
    let report = Report::of(dir.path(), &[]);
    is_about(report.share("heavy"), 0.75);
    is_about(report.share("light"), 0.25);
}

#[test]
fn names_survive_debug_information_of_which_a_part_is_missing() {
    if !possible() || !has("dwz") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (path, twin) = (dir.path().join("work"), dir.path().join("twin"));
    compile(&path, STATIC, "cc", &["-O2", "-g"]);
    fs::copy(&path, &twin).unwrap();
    let common = dir.path().join("common");
    let mut dwz = Command::new("dwz");
    let status = dwz.arg("-m").args([&common, &path, &twin]).status();
    assert!(status.unwrap().success());
    // dwz may have found too little that the two have in common.
    let _ = fs::remove_file(&common);
    record(dir.path(), &["./work"]);
    let report = Report::of(dir.path(), &[]);
    is_about(report.share("heavy"), 0.75);
    is_about(report.share("light"), 0.25);
}
