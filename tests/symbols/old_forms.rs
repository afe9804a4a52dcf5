//! Debug information in forms that few files have, each with the names of the symbol
//! table at least.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::debug_files::WORK;
use super::run::{Report, record};
use super::target::{compile, possible};

/// What is reported of [`WORK`], compiled with `flags` by `make`.
fn reported(directory: &Path, flags: &[&str]) -> Report {
    compile(&directory.join("work"), WORK, "cc", flags);
    record(directory, &["./work"]);
    Report::of(directory, &[])
}

#[test]
fn debug_information_that_is_compressed_in_the_old_way_is_read() {
    if !possible() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let report = reported(directory.path(), &["-gz=zlib-gnu"]);
    let sections = Command::new("readelf")
        .args(["-SW", "work"])
        .current_dir(directory.path())
        .output();
    let sections = String::from_utf8(sections.unwrap().stdout).unwrap();
    assert!(sections.contains(".zdebug_info"), "{sections}");
    assert!(report.share("inner") > 0.8, "{}", report.share("inner"));
    let lines = Report::of(directory.path(), &["--lines"]);
    assert!(lines.share_with("inner work.c:") > 0.8);
}

#[test]
fn a_program_with_debug_information_in_object_files_has_names_all_the_same() {
    if !possible() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let report = reported(directory.path(), &["-gsplit-dwarf"]);
    let left = fs::read_dir(directory.path()).unwrap();
    let dwo = |name: String| name.ends_with(".dwo");
    let mut names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.any(dwo), "it was split");
    // They are not looked for: what was inlined is its caller's.
    assert!(report.share("outer") > 0.8, "{}", report.share("outer"));
}

#[test]
fn a_package_of_such_object_files_beside_the_program_is_read() {
    if !possible() {
        return;
    }
    if Command::new("dwp").arg("--version").output().is_err() {
        return crate::support::skip::absent("no dwp");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("work");
    // dwp by binutils knows no DWARF 5.
    compile(&path, WORK, "cc", &["-gsplit-dwarf", "-gdwarf-4"]);
    let status = Command::new("dwp")
        .args(["-e", "work", "-o", "work.dwp"])
        .current_dir(directory.path())
        .status();
    assert!(status.unwrap().success());
    record(directory.path(), &["./work"]);
    let report = Report::of(directory.path(), &[]);
    assert!(report.share("inner") > 0.8, "{}", report.share("inner"));
}
