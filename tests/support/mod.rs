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
pub mod powercap;
pub mod schema;
pub mod skip;
pub mod sysfs;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

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

/// The energy of a row of the ledger; what is unknown was charged to nobody.
fn ledger_uj(row: &Value) -> u64 {
    assert!(row["uj"].is_u64() || row["uj"].is_null(), "{row}");
    row["uj"].as_u64().unwrap_or(0)
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

/// A JSON report.
pub struct Report(pub Value);

impl Report {
    /// The rows of `table` (`threads`, `processes`, `functions`, `ledger`).
    pub fn rows(&self, table: &str) -> &[Value] {
        self.0[table].as_array().map_or(&[], Vec::as_slice)
    }

    /// The sum of `field` over the rows of `table`.
    pub fn sum(&self, table: &str, field: &str) -> u64 {
        self.rows(table)
            .iter()
            .map(|row| row[field].as_u64().unwrap_or_else(|| panic!("{row}")))
            .sum()
    }

    /// The energy of an account over the meters that add up.
    pub fn account(&self, account: &str) -> u64 {
        self.rows("ledger")
            .iter()
            .filter(|row| row["account"] == account && row["nested"] != true)
            .map(ledger_uj)
            .sum()
    }

    /// The threads called `comm`.
    pub fn threads_named<'a>(&'a self, comm: &'a str) -> impl Iterator<Item = &'a Value> {
        self.rows("threads")
            .iter()
            .filter(move |row| row["comm"] == comm)
    }

    /// Asserts what must hold for every report.
    pub fn assert_balanced(&self) {
        assert_eq!(self.0["schema"], "eprof-report/1");
        let all: u64 = self
            .rows("ledger")
            .iter()
            .filter(|row| row["nested"] != true)
            .map(ledger_uj)
            .sum();
        assert_eq!(all, self.0["energy_uj"].as_u64().unwrap(), "{:#}", self.0);
        let target = self.account("target");
        for (table, field) in [
            ("threads", "uj"),
            ("processes", "uj"),
            ("functions", "self_uj"),
        ] {
            assert_eq!(self.sum(table, field), target, "{table}: {:#}", self.0);
        }
    }
}
