//! Skipping out loud.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::panic,
    reason = "each test file uses its part; a skip that must not be is a failed test"
)]

use std::io::Write;

/// Says, past the test harness's capture, why the running test does not run
/// here. With `EPROF_REQUIRE=1` it fails instead, for the reason could be
/// removed: a tool, a permission.
pub fn skip(why: &str) {
    absent(why);
    assert!(
        std::env::var_os("EPROF_REQUIRE").is_none_or(|value| value != "1"),
        "could have run, but: {why}"
    );
}

/// As [`skip`], for want of hardware, which nobody can install.
pub fn absent(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Nobody can be told where there is no standard error.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {why}");
}
