//! Where debug information is looked for, and by whom.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::debuginfod::{self, Failure, Settings};
use crate::caveat::Caveat;

/// Where distributions install separate debug files.
const DEBUG_DIRECTORIES: [&str; 2] = ["/usr/lib/debug", "/usr/local/lib/debug"];

/// This program.
const ITSELF: &str = "/proc/self/exe";

/// Where debug information is looked for that is not in the file itself.
#[derive(Debug)]
pub struct Search {
    directories: Vec<PathBuf>,
    servers: Option<Settings>,
    /// What went wrong with servers so far.
    failures: Mutex<Vec<Failure>>,
    program: PathBuf,
}

impl Search {
    /// In `directories`, then where distributions put debug files, then, if
    /// `DEBUGINFOD_URLS` is set, on debuginfod servers.
    pub fn of_environment(directories: &[PathBuf]) -> Self {
        Self {
            servers: Settings::of_environment(),
            ..Self::local(directories)
        }
    }

    /// In `directories`, then where distributions put debug files.
    pub fn local(directories: &[PathBuf]) -> Self {
        let system = DEBUG_DIRECTORIES.iter().map(PathBuf::from);
        Self {
            directories: directories.iter().cloned().chain(system).collect(),
            servers: None,
            failures: Mutex::default(),
            program: ITSELF.into(),
        }
    }

    /// Lets `program`, which must be eprof, look names up, where this process is none.
    pub fn by(mut self, program: &Path) -> Self {
        self.program = program.to_owned();
        self
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    pub(super) fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    pub(super) fn servers(&self) -> Option<&Settings> {
        self.servers.as_ref()
    }

    pub(super) fn failures(&self) -> Vec<Failure> {
        let failures = self.failures.lock();
        failures.map(|known| known.clone()).unwrap_or_default()
    }

    pub(super) fn failed(&self, failures: Vec<Failure>) {
        if let Ok(mut known) = self.failures.lock() {
            *known = failures;
        }
    }

    /// What went wrong with the servers.
    pub(super) fn caveat(&self) -> Option<Caveat> {
        debuginfod::caveat(&self.failures())
    }
}
