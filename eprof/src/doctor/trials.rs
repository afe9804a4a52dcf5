//! Trying things out: what the kernel says when eprof's system calls are made.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use perf_event::Builder;
use perf_event::events::Software;

use crate::error::{Error, FILES_HINT, is_without_files};
use crate::host::remedy::{self, Asked, Place};
use crate::host::{SysRoot, elevation, own_cgroup};
use crate::kernel::{Probe, Settings};
use crate::measurement::Counter;
use crate::unit::Nanos;

/// How long an interval of the trial would be; none ends.
const INTERVAL: Nanos = Nanos(1_000_000_000);

/// What came of a trial that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Why, in words.
    pub why: String,
    /// What helps, where that is known.
    pub hint: Option<String>,
}

impl From<Error> for Refused {
    /// The first line, and what helps.
    fn from(error: Error) -> Self {
        let text = error.to_string();
        Self {
            why: text.lines().next().unwrap_or_default().to_owned(),
            hint: error.given_hint().map(str::to_owned),
        }
    }
}

impl From<&str> for Refused {
    fn from(why: &str) -> Self {
        Self {
            why: why.to_owned(),
            hint: None,
        }
    }
}

/// Files that a run has open besides the kernel programs, their counters and their
/// timers: the recording, pipes, the cgroup, what it waits by, a helper for names.
const OTHER_FILES: usize = 13;

/// Loads the kernel programs and starts to sample this process, as `eprof run`
/// does, so that it cannot come out differently there.
///
/// # Errors
/// What `eprof run` would say.
pub fn load_program(root: &SysRoot) -> Result<(), Refused> {
    let settings = Settings {
        slots: 1024,
        no_btf: Settings::is_btf_refused(),
        ..Settings::of(root, &[], &Counter::ALL, INTERVAL)
    };
    let mut probe = Probe::load(&settings)?;
    probe.sample_process(std::process::id())?;
    // The target's mappings come from one more for each CPU.
    let more = OTHER_FILES + probe.cpus().len();
    let opened: io::Result<Vec<File>> = (0..more).map(|_| File::open("/")).collect();
    match opened.map(drop) {
        Err(error) if is_without_files(&error) => Err(Refused {
            why: format!("there are too few file descriptors for a run ({error})"),
            hint: Some(FILES_HINT.to_owned()),
        }),
        _ => Ok(()),
    }
}

/// Opens a CPU-wide clock event on `cpu`, kernel included.
///
/// # Errors
/// What `perf_event_open(2)` says.
pub fn open_cpu_event(cpu: u32) -> io::Result<()> {
    let _raised = elevation::raised(elevation::KERNEL);
    Builder::new(Software::CPU_CLOCK)
        .any_pid()
        .one_cpu(cpu as usize)
        .include_kernel()
        .include_hv()
        .build()
        .map(drop)
}

fn event_refused(error: &io::Error) -> Refused {
    match remedy::of(Asked::Events, error.raw_os_error(), &Place::here()) {
        Some(remedy) => Refused {
            why: format!("{error}: {}", remedy.cause),
            hint: Some(remedy.hint.to_owned()),
        },
        None => error.to_string().as_str().into(),
    }
}

/// Makes a cgroup below `parent` and removes it again.
///
/// # Errors
/// What `mkdir(2)` or `rmdir(2)` says.
pub fn make_cgroup(parent: &Path) -> io::Result<()> {
    let child = parent.join(format!("eprof-doctor-{}", std::process::id()));
    std::fs::create_dir(&child)?;
    std::fs::remove_dir(&child)
}

/// What came of trying things out on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trials {
    /// Loading the kernel programs, or why not.
    pub program: Result<(), Refused>,
    /// Opening a CPU-wide perf event, or why not.
    pub event: Result<(), Refused>,
    /// Making a cgroup: below which directory, or why not.
    pub cgroup: Result<PathBuf, String>,
}

impl Trials {
    /// Tries everything, on the running kernel, as a run would that reads about the
    /// machine below `root`. `cpu` is an online CPU.
    pub fn run(root: &SysRoot, cpu: u32) -> Self {
        Self {
            program: load_program(root),
            event: open_cpu_event(cpu).map_err(|error| event_refused(&error)),
            cgroup: own_cgroup::directory().and_then(|parent| match make_cgroup(&parent) {
                Ok(()) => Ok(parent),
                Err(error) => Err(format!(
                    "eprof cannot make a cgroup below {}: {error}",
                    parent.display()
                )),
            }),
        }
    }
}
