//! Programs for 32-bit x86.

use std::process::Command;

use super::run::{Report, record};
use super::target::possible;
use crate::support::skip;

#[test]
fn programs_for_32_bit_x86_have_names_and_stacks_that_are_not_called_whole() {
    if !possible() {
        return;
    }
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/stacks/programs/narrow.c"
    );
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program");
    // Needs no library of that kind.
    let options = [
        "-m32",
        "-O2",
        "-nostdlib",
        "-static",
        "-fno-stack-protector",
    ];
    for pointers in ["-fno-omit-frame-pointer", "-fomit-frame-pointer"] {
        let made = Command::new("gcc")
            .args(options)
            .args([pointers, "-o", program.to_str().unwrap(), source])
            .output();
        if !made.is_ok_and(|made| made.status.success()) {
            return skip("no C compiler for 32-bit x86");
        }
        record(directory.path(), &[program.to_str().unwrap()]);
        let report = Report::of(directory.path(), &[]);
        let own = report.share("delta");
        assert!(own > 0.7, "{pointers}: {own} of it in the function itself");
        let (samples, whole) = report.stacks();
        assert!(samples > 100, "{pointers}: {samples}");
        // Before the program began, there was none of its code.
        assert!(
            whole * 50 < samples,
            "{pointers}: {whole} of {samples} whole"
        );
        if pointers == "-fno-omit-frame-pointer" {
            let below = report.share_below("alpha");
            assert!(below > 0.8, "{below} below its caller's caller");
        }
    }
}
