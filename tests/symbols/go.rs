//! Names in Go's programs, from which all symbols were removed.

use std::process::Command;

use super::run::{Report, record};
use super::target::possible;
use crate::support::{GO_CACHE, skip};

#[test]
#[cfg(target_arch = "x86_64")]
fn stripped_programs_by_go_have_names() {
    if !possible() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program");
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/stacks/programs/chain.go"
    );
    let made = Command::new("go")
        .env("GOCACHE", GO_CACHE)
        .args(["build", "-ldflags=-s -w", "-o"])
        .args([program.to_str().unwrap(), source])
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        return skip("no Go compiler");
    }
    record(directory.path(), &[program.to_str().unwrap(), "0.5"]);
    let report = Report::of(directory.path(), &[]);
    assert!(report.share("main.delta") > 0.8);
    assert!(report.share_below("main.alpha") > 0.9);
}
