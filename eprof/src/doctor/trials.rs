//! Trying things out: what the kernel says when eprof's system calls are made.

use std::path::{Path, PathBuf};

use aya::programs::ProgramType;
use aya::sys::is_program_supported;
use perf_event::Builder;
use perf_event::events::Software;

use crate::host::own_cgroup;

/// Loads the smallest possible perf_event program.
///
/// # Errors
/// The reason in words.
pub fn load_program() -> Result<(), String> {
    match is_program_supported(ProgramType::PerfEvent) {
        Ok(true) => Ok(()),
        Ok(false) => Err("the kernel has no BPF tracing programs".into()),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            Err(innermost(error).to_string())
        }
    }
}

fn innermost<'a>(
    mut error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// Opens a CPU-wide clock event on `cpu`, kernel included.
///
/// # Errors
/// What `perf_event_open(2)` says.
pub fn open_cpu_event(cpu: u32) -> std::io::Result<()> {
    Builder::new(Software::CPU_CLOCK)
        .any_pid()
        .one_cpu(cpu as usize)
        .include_kernel()
        .include_hv()
        .build()
        .map(drop)
}

/// Makes a cgroup below `parent` and removes it again.
///
/// # Errors
/// What `mkdir(2)` or `rmdir(2)` says.
pub fn make_cgroup(parent: &Path) -> std::io::Result<()> {
    let child = parent.join(format!("eprof-doctor-{}", std::process::id()));
    std::fs::create_dir(&child)?;
    std::fs::remove_dir(&child)
}

/// What came of trying things out on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trials {
    /// Loading a BPF program, or why not.
    pub program: Result<(), String>,
    /// Opening a CPU-wide perf event, or why not.
    pub event: Result<(), String>,
    /// Making a cgroup: below which directory, or why not.
    pub cgroup: Result<PathBuf, String>,
}

impl Trials {
    /// Tries everything, on the running kernel. `cpu` is an online CPU.
    pub fn run(cpu: u32) -> Self {
        Self {
            program: load_program(),
            event: open_cpu_event(cpu).map_err(|error| error.to_string()),
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
