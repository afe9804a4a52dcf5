//! eprof, built for aarch64, does its main job in an emulated machine of that
//! architecture, whose cycle counter is real. There is no energy meter: it
//! must say so, estimate, and balance all the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::Report;

const TARGET: &str = "aarch64-unknown-linux-musl";
const TOOLS: [(&str, &str); 6] = [
    ("qemu-system-aarch64", "qemu-system-arm"),
    ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    ("cpio", "cpio"),
    ("dpkg", "dpkg"),
    ("apt-get", "apt"),
    ("rustup", "rustup, for the standard library of the target"),
];

/// Why this cannot be tested here; `None` where it can.
fn obstacle() -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |tool: &str| std::env::split_paths(&path).any(|at| at.join(tool).exists());
    if let Some((tool, package)) = TOOLS.iter().find(|(tool, _)| !found(tool)) {
        return Some(format!("there is no {tool} (Debian: {package})"));
    }
    let installed = Command::new("rustup")
        .args(["target", "list", "--installed"])
        .output()
        .unwrap();
    let installed = String::from_utf8_lossy(&installed.stdout).into_owned();
    (!installed.lines().any(|line| line == TARGET))
        .then(|| format!("rustup target add {TARGET} was not done"))
}

fn succeed(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status();
    assert!(
        status.as_ref().is_ok_and(|status| status.success()),
        "{command:?}: {status:?}"
    );
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Cross-builds eprof.
fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    succeed(
        Command::new(cargo)
            .current_dir(workspace())
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER",
                "aarch64-linux-gnu-gcc",
            )
            .env("CC_aarch64_unknown_linux_musl", "aarch64-linux-gnu-gcc")
            // Debugging information would be stripped anyway.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            // And the emulator's clock counts instructions: it has no haste.
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
            .args(["build", "-q", "-p", "eprof", "--bin", "eprof"])
            .args(["--target", TARGET]),
    );
    // target/debug/eprof → target/TARGET/debug/eprof
    let native = support::eprof();
    let target = native.parent().unwrap().parent().unwrap();
    target.join(TARGET).join("debug/eprof")
}

/// Boots the guest and returns what its console showed.
fn boot(cache: &Path) -> String {
    let mut command = Command::new("timeout");
    command
        .args(["600", "qemu-system-aarch64", "-accel", "tcg"])
        // One instruction per nanosecond: that gives the machine its counters.
        .args(["-icount", "shift=0", "-M", "virt", "-cpu", "max"])
        .args(["-smp", "1", "-m", "1024", "-no-reboot", "-display", "none"])
        .args(["-serial", "stdio", "-monitor", "none", "-kernel"])
        .arg(cache.join("vmlinuz"))
        .arg("-initrd")
        .arg(cache.join("initrd.gz"))
        .args(["-append", "console=ttyAMA0 quiet panic=-1"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

#[test]
fn the_main_job_is_done_on_aarch64() {
    if let Some(why) = obstacle() {
        return support::skip(&why);
    }
    let cache = std::env::var_os("EPROF_LAB_CACHE")
        .map_or_else(|| workspace().join("target/lab"), PathBuf::from)
        .join("aarch64");
    succeed(
        Command::new(workspace().join("tests/aarch64/setup"))
            .arg(build())
            .arg(&cache),
    );
    let said = boot(&cache);
    let report = said
        .split_once("BEGIN\n")
        .and_then(|(_, rest)| rest.split_once("END\n"))
        .unwrap_or_else(|| panic!("no report:\n{said}"))
        .0;
    let report = Report(serde_json::from_str(report).expect("the report is JSON"));
    assert!(said.contains("exit 0\n"), "{said}");

    report.assert_balanced();
    assert_eq!(report.0["source"]["provenance"], "estimated");
    // As was asked for: the counters are there, and counted.
    assert_eq!(report.0["source"]["weights"], "cycles");
    // The kernel's walk by unwind tables reaches the roots of a program without
    // frame pointers.
    let caveats = report.0["caveats"].to_string();
    for lesser in ["frame-pointers", "stack-copies"] {
        assert!(!caveats.contains(lesser), "{caveats}");
    }
    let stacks = &report.0["stacks"];
    let share = stacks["whole"].as_f64().unwrap() / stacks["samples"].as_f64().unwrap();
    assert!(share > 0.97, "{stacks}");
    for (name, milliseconds) in [("heavy", 600.0), ("light", 200.0)] {
        let threads: Vec<_> = report.threads_named(name).collect();
        assert_eq!(threads.len(), 1, "{name}: {:#}", report.0);
        let used = threads[0]["cpu_ns"].as_f64().unwrap() / 1e6;
        assert!(
            (used / milliseconds - 1.0).abs() < 0.02,
            "{name}: {used} ms"
        );
        let functions = report.rows("functions").iter();
        let own: u64 = functions
            .filter(|row| row["function"] == name)
            .map(|row| row["total_uj"].as_u64().unwrap())
            .sum();
        let thread = threads[0]["uj"].as_f64().unwrap();
        assert!(
            (own as f64 / thread - 1.0).abs() < 0.05,
            "{name}: {own} µJ of {thread}"
        );
    }
}
