//! What is to be run, and what it takes along from eprof's own caller.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::sync::{Arc, OnceLock};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::SigSet;

use crate::host::elevation;

/// A command with its environment.
#[derive(Clone, Debug)]
pub struct Command {
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) mask: SigSet,
    pub(super) limits: Limits,
    pub(super) inherited: InheritedFiles,
    pub(super) streams: Streams,
}

impl Command {
    /// A command with the environment of eprof's caller, an empty signal mask, the
    /// resource limits of eprof, and no files but the standard ones.
    pub fn new(
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: environment(),
            mask: SigSet::empty(),
            limits: Limits::default(),
            inherited: InheritedFiles::default(),
            streams: Streams::default(),
        }
    }

    /// Replaces the environment.
    pub fn environment(mut self, environment: Vec<(OsString, OsString)>) -> Self {
        self.environment = environment;
        self
    }

    /// The signal mask of the target: the one that eprof was started with
    /// ([`super::SignalSet::original_mask`]).
    pub fn signal_mask(mut self, mask: SigSet) -> Self {
        self.mask = mask;
        self
    }

    /// The resource limits of the target: those that eprof was started with,
    /// where it raised its own since.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Hands on files that eprof's caller meant for the command.
    pub fn inherited(mut self, inherited: InheritedFiles) -> Self {
        self.inherited = inherited;
        self
    }

    /// Replaces standard streams.
    pub fn streams(mut self, streams: Streams) -> Self {
        self.streams = streams;
        self
    }

    /// What the user typed as the program.
    pub fn program(&self) -> &OsStr {
        &self.program
    }
}

/// The environment that eprof's caller gave. Where eprof's file has privileges,
/// the loader took variables such as `LD_LIBRARY_PATH` out, for eprof; the target
/// has none of them, and gets all.
fn environment() -> Vec<(OsString, OsString)> {
    let callers = elevation::is_elevated().then(elevation::callers_environment);
    let callers = callers.flatten();
    callers.unwrap_or_else(|| std::env::vars_os().collect())
}

/// Where the standard streams of the target lead; those without a file are
/// eprof's own.
#[derive(Clone, Debug, Default)]
pub struct Streams {
    /// Standard input.
    pub input: Option<Arc<File>>,
    /// Standard output.
    pub output: Option<Arc<File>>,
    /// Standard error.
    pub errors: Option<Arc<File>>,
}

/// Resource limits that a profiler raises for itself and the target must not
/// see raised: open files and locked memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(pub(super) Vec<(i32, u64, u64)>);

impl Limits {
    /// The limits with which eprof was started: to be asked for the first time
    /// before eprof changes its own. A limit that cannot be read is left as it is.
    pub fn at_start() -> Self {
        static LIMITS: OnceLock<Limits> = OnceLock::new();
        LIMITS.get_or_init(Self::now).clone()
    }

    /// The limits now.
    pub fn now() -> Self {
        Self(
            [Resource::RLIMIT_NOFILE, Resource::RLIMIT_MEMLOCK]
                .into_iter()
                .filter_map(|resource| {
                    let (soft, hard) = getrlimit(resource).ok()?;
                    Some((resource as i32, soft, hard))
                })
                .collect(),
        )
    }

    /// Lets eprof open as many files as it is allowed to: timers, rings and counters
    /// of each CPU are files. The target gets what there was [`at_start`](Self::at_start).
    pub fn raise() {
        Self::at_start();
        if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
            && soft < hard
        {
            // Where that is refused, what is there has to do.
            let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
        }
    }
}

/// Files above the standard three that eprof's caller left open for the
/// command on purpose: `<(…)` of a shell, the job server of make.
///
/// They are the caller's, not eprof's. They are not handed on to a target
/// that runs as another user, as sudo does it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InheritedFiles(pub(super) Vec<u32>);

impl InheritedFiles {
    /// The files that are open now and would stay open over an exec: to be
    /// asked first thing in `main`, before eprof opens any of its own.
    pub fn now() -> Self {
        let Ok(entries) = fs::read_dir("/proc/self/fd") else {
            return Self::default();
        };
        let mut files: Vec<u32> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|&file| file > 2 && stays_open(file))
            .collect();
        files.sort_unstable();
        Self(files)
    }
}

/// Whether a file is without the close-on-exec flag, by `/proc/self/fdinfo`
/// (octal flags, proc(5)).
fn stays_open(file: u32) -> bool {
    // Root's before Linux 5.14, where eprof's file has privileges.
    let _raised = elevation::raised(elevation::READ);
    fs::read_to_string(format!("/proc/self/fdinfo/{file}"))
        .ok()
        .and_then(|info| {
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
            i32::from_str_radix(flags.trim(), 8).ok()
        })
        .is_some_and(|flags| flags & libc::O_CLOEXEC == 0)
}
