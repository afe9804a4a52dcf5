//! Building the programs of the suite.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Go keeps its compiled standard library, once for all tests.
pub const GO_CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/go");

/// Where the sources are.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/stacks/programs")
        .join(name)
}

/// Whether a command can be run at all.
pub fn exists(command: &str, argument: &str) -> bool {
    let output = Command::new(command).arg(argument).output();
    output.is_ok_and(|output| output.status.success())
}

/// Runs a compiler; its complaints are the failure.
pub fn run(command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaints}");
}

/// Compiles C, C++ or assembly.
pub fn c(compiler: &str, sources: &[&str], flags: &[&str], to: &Path) {
    // Chains are known if no call is turned into a jump.
    let fixed = ["-fno-optimize-sibling-calls", "-w", "-o"];
    let sources = sources.iter().map(|name| source(name));
    run(Command::new(compiler)
        .args(fixed)
        .arg(to)
        .args(sources)
        .args(flags));
}

/// Compiles Rust.
pub fn rust(name: &str, flags: &[&str], to: &Path) {
    let command = &mut Command::new("rustc");
    run(command
        .args(["--edition", "2024", "-o"])
        .arg(to)
        .arg(source(name))
        .args(flags));
}

/// Compiles Go.
pub fn go(name: &str, to: &Path) {
    let command = &mut Command::new("go");
    run(command
        .env("GOCACHE", GO_CACHE)
        .args(["build", "-o"])
        .arg(to)
        .arg(source(name)));
}

/// Copies a program without its symbols.
pub fn strip(from: &Path, to: &Path) {
    run(Command::new("strip").arg("-o").arg(to).arg(from));
}
