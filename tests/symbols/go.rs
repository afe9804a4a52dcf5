//! Names in Go's programs, from which all symbols were removed.

use std::process::Command;

use crate::run::{Report, record};
use crate::skip;
use crate::target::possible;

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
        .env("GOCACHE", directory.path().join("cache"))
        .args(["build", "-ldflags=-s -w", "-o"])
        .args([program.to_str().unwrap(), source])
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        return skip::skip("no Go compiler");
    }
    record(directory.path(), &[program.to_str().unwrap(), "0.5"]);
    let report = Report::of(directory.path(), &[]);
    assert!(report.share("main.delta") > 0.8);
    assert!(report.share_below("main.alpha") > 0.9);
}
