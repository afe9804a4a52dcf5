//! What the end-to-end tests share: running eprof, reading its report, and
//! skipping out loud.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test file uses its part; a failed assumption is a failed test"
)]

pub mod calibrate;
pub mod dice;
pub mod peak;
pub mod powercap;
pub mod report;
pub mod schema;
pub mod seccomp;
pub mod skip;
pub mod sysfs;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

pub use report::Report;
pub use skip::{absent, skip};

use serde_json::Value;
use tempfile::TempDir;

/// Whether we are root; says so where not.
pub fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skip("loading kernel programs needs root");
    }
    root
}

/// Where Go keeps its compiled standard library, once for all tests.
pub const GO_CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/go");

/// The built command.
pub fn eprof() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_eprof"))
}

/// Where everything is built already, as `tests/run` says by `EPROF_BUILT`: eprof,
/// optimised, and the examples.
pub fn built() -> Option<PathBuf> {
    std::env::var_os("EPROF_BUILT").map(PathBuf::from)
}

/// An example workload, built now if need be.
pub fn example(name: &str) -> PathBuf {
    static EXAMPLES: LazyLock<PathBuf> = LazyLock::new(|| {
        built().map_or_else(build_examples, |directory| directory.join("examples"))
    });
    let path = EXAMPLES.join(name);
    assert!(path.exists(), "{} is not built", path.display());
    path
}

/// Builds them in the profile of eprof, for the whole workspace: then the
/// features of what they need are those of the tests, and nothing is compiled
/// twice.
fn build_examples() -> PathBuf {
    let directory = eprof().parent().unwrap().to_owned();
    let profile = match directory.file_name().and_then(OsStr::to_str).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--examples"])
        .args(["--profile", profile])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{complaints}");
    directory.join("examples")
}

/// One `eprof run` in a directory of its own.
pub struct Recorded {
    /// Where it ran, with `eprof.data`, `eprof.svg` and `report.json`.
    pub directory: TempDir,
    /// What it printed, and its exit code.
    pub output: Output,
}

impl Recorded {
    /// Runs `eprof run OPTIONS --format json --report report.json -- TARGET`.
    pub fn run<S: AsRef<OsStr>>(options: &[&str], target: &[S]) -> Self {
        Self::with(options, target, |_| {})
    }

    /// As [`run`](Self::run), with a last say on the command (environment,
    /// user, …).
    pub fn with<S: AsRef<OsStr>>(
        options: &[&str],
        target: &[S],
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let mut command = Command::new(eprof());
        command
            .current_dir(directory.path())
            .arg("run")
            .args(options)
            .args(["--format", "json", "--report", "report.json", "--"])
            .args(target);
        prepare(&mut command);
        let output = command.output().unwrap();
        Self { directory, output }
    }

    /// The path of a file it wrote.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Its exit code.
    pub fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    /// Its report.
    pub fn report(&self) -> Report {
        let text = std::fs::read(self.path("report.json"))
            .unwrap_or_else(|error| panic!("no report ({error}): {}", self.stderr()));
        Report(serde_json::from_slice(&text).expect("the report is JSON"))
    }

    /// What a further eprof command prints about the recording.
    pub fn eprof(&self, arguments: &[&str]) -> Output {
        eprof_in(self.directory.path(), arguments)
    }
}

/// Runs eprof with `arguments` in `directory`.
pub fn eprof_in(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(eprof())
        .current_dir(directory)
        .args(arguments)
        .output()
        .unwrap()
}

/// CPU time that the hypervisor took away from this machine so far, in
/// seconds. The kernel's own books leave it out, a clock does not.
pub fn stolen() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    // proc_stat(5): user nice system idle iowait irq softirq steal, in ticks
    // of 10 ms.
    let steal = stat.lines().next().unwrap().split_whitespace().nth(8);
    steal.unwrap().parse::<f64>().unwrap() / 100.0
}
