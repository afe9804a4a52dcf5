//! `eprof` as people use it, on programs whose functions are known.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// eprof with `arguments` in `directory`, without anything of the
/// environment that would find names elsewhere.
pub fn eprof(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eprof"));
    command.current_dir(directory).args(arguments);
    for name in ["DEBUGINFOD_URLS", "DEBUGINFOD_CACHE_PATH", "XDG_CACHE_HOME"] {
        command.env_remove(name);
    }
    command.env("HOME", directory);
    command
}

/// How a recording is made.
pub const RUN: [&str; 6] = [
    "run",
    "--as-root",
    "--quiet",
    "--no-flamegraph",
    "--source",
    "model",
];

/// Records `command` in `directory`.
pub fn record(directory: &Path, command: &[&str]) {
    let arguments = [&RUN, &["--"][..], command].concat();
    succeed(&mut eprof(directory, &arguments));
}

/// Runs `command`, which must succeed.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    output
}

/// A report of the recording in `directory`.
pub struct Report(Value);

impl Report {
    pub fn of(directory: &Path, options: &[&str]) -> Self {
        Self::by(&mut eprof(directory, &[]), options)
    }

    /// The same with a prepared command.
    pub fn by(command: &mut Command, options: &[&str]) -> Self {
        let output = succeed(command.args(["report", "--format", "json"]).args(options));
        Self(serde_json::from_slice(&output.stdout).unwrap())
    }

    /// The part of the target's energy that is `function`'s own.
    pub fn share(&self, function: &str) -> f64 {
        self.sum(|row| row["function"] == function)
    }

    /// The same of functions without names, of which at most the beginnings are known.
    pub fn nameless(&self) -> f64 {
        self.sum(|row| {
            let name = row["function"].as_str().unwrap();
            name.starts_with("[unknown]") || name.starts_with("fun_")
        })
    }

    /// The same of all functions with `part` in their name.
    pub fn share_with(&self, part: &str) -> f64 {
        self.sum(|row| row["function"].as_str().unwrap().contains(part))
    }

    /// Removes what run-time compilers of the recorded processes left behind.
    pub fn clean(&self) {
        for process in self.0["processes"].as_array().unwrap() {
            let pid = process["pid"].as_u64().unwrap();
            let _ = std::fs::remove_file(format!("/tmp/perf-{pid}.map"));
        }
    }

    /// The part of the target's energy that is spent in or below functions
    /// with `part` in their names, if none of them calls another.
    pub fn share_below(&self, part: &str) -> f64 {
        self.sum_of("total_uj", |row| {
            row["function"].as_str().unwrap().contains(part)
        })
    }

    /// How many stacks were sampled, and how many of them are whole.
    pub fn stacks(&self) -> (u64, u64) {
        let number = |key: &str| self.0["stacks"][key].as_u64().unwrap();
        (number("samples"), number("whole"))
    }

    fn sum(&self, which: impl Fn(&Value) -> bool) -> f64 {
        self.sum_of("self_uj", which)
    }

    fn sum_of(&self, what: &str, which: impl Fn(&Value) -> bool) -> f64 {
        let rows = self.0["functions"].as_array().unwrap().iter();
        let sum: u64 = rows
            .filter(|row| which(row))
            .map(|row| row[what].as_u64().unwrap())
            .sum();
        sum as f64 / self.0["target"]["uj"].as_u64().unwrap() as f64
    }

    pub fn caveats(&self) -> Vec<&str> {
        let caveats = self.0["caveats"].as_array().unwrap().iter();
        caveats
            .map(|caveat| caveat["code"].as_str().unwrap())
            .collect()
    }
}
