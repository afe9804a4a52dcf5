//! The profilers: how each is started, and the stacks that it has recorded.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::recorded;
use super::walk::Walk;
use super::{perf_script, samply_profile};

/// Samples per second and busy CPU, of all of them.
pub const FREQUENCY: &str = "997";

/// A profiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// None: the bare command.
    Bare,
    /// This one.
    Eprof,
    /// perf, which copies so many bytes of the stack to be unwound afterwards.
    Perf(u32),
    /// samply, which copies 32,000.
    Samply,
}

impl Tool {
    /// All of them that are there; says which are not.
    pub fn all() -> Vec<Self> {
        let mut tools = vec![Self::Bare, Self::Eprof];
        for (tool, program) in [
            (Self::Perf(8192), "perf"),
            (Self::Perf(65528), "perf"),
            (Self::Samply, "samply"),
        ] {
            let output = Command::new(program).arg("--version").output();
            match output {
                Ok(output) => {
                    let version = String::from_utf8_lossy(&output.stdout);
                    eprintln!("{}: {}", tool.name(), version.trim());
                    tools.push(tool);
                }
                Err(error) => eprintln!("SKIPPED: {program}: {error}"),
            }
        }
        tools
    }

    /// What it is called in the table.
    pub fn name(self) -> String {
        match self {
            Self::Bare => "none".to_owned(),
            Self::Eprof => "`eprof run`".to_owned(),
            Self::Perf(8192) => "`perf record --call-graph dwarf`".to_owned(),
            Self::Perf(bytes) => format!("`perf record --call-graph dwarf,{bytes}`"),
            Self::Samply => "`samply record`".to_owned(),
        }
    }

    /// The recording that it makes in `directory`.
    pub fn recording(self, directory: &Path) -> Option<PathBuf> {
        let name = match self {
            Self::Bare => return None,
            Self::Eprof => "eprof.data",
            Self::Perf(_) => "perf.data",
            Self::Samply => "profile.json.gz",
        };
        Some(directory.join(name))
    }

    /// Runs `argv` in `directory` below the profiler; `named`: to the point
    /// where the names of all functions have been found, if it can do that.
    pub fn command(self, directory: &Path, argv: &[String], named: bool) -> Command {
        let mut words: Vec<&str> = match self {
            Self::Bare => Vec::new(),
            Self::Eprof => vec![env!("CARGO_BIN_EXE_eprof"), "run", "--as-root"],
            Self::Perf(_) => vec!["perf", "record", "-e", "cpu-clock"],
            Self::Samply => vec!["samply", "record", "--save-only", "-o", "profile.json.gz"],
        };
        match self {
            Self::Bare => {}
            // What is left is what all of them do: a recording.
            Self::Eprof => words.extend(["--no-flamegraph", "--report=report.txt"]),
            Self::Perf(8192) => words.push("--call-graph=dwarf"),
            Self::Perf(_) => words.push("--call-graph=dwarf,65528"),
            Self::Samply if named => words.push("--unstable-presymbolicate"),
            Self::Samply => {}
        }
        match self {
            Self::Bare => {}
            Self::Samply => words.extend(["--rate", FREQUENCY, "--"]),
            Self::Eprof | Self::Perf(_) => words.extend(["-F", FREQUENCY, "--"]),
        }
        let words = words.into_iter().map(str::to_owned);
        let mut words = words.chain(argv.iter().cloned());
        let mut command = Command::new(words.next().unwrap());
        command.args(words).current_dir(directory);
        command
    }

    /// What has to follow, in the same directory, until stacks are known;
    /// nothing for those who do it at once.
    pub fn afterwards(self, directory: &Path) -> Option<Command> {
        let Self::Perf(_) = self else { return None };
        let mut command = Command::new("perf");
        let path = self.recording(directory)?;
        command.args(perf_script::SCRIPT).arg(path);
        Some(command)
    }

    /// The stacks of the recording in `directory`, and how often each was
    /// sampled.
    pub fn stacks(self, directory: &Path) -> Vec<(Walk, u64)> {
        match (self, self.recording(directory)) {
            (Self::Eprof, Some(path)) => recorded::stacks(&path),
            (Self::Perf(_), Some(path)) => perf_script::stacks(&path),
            (Self::Samply, Some(path)) => samply_profile::stacks(&path),
            (_, _) => Vec::new(),
        }
    }
}
