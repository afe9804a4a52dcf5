//! The timers that take stack samples.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::RawFd;

use perf_event::events::Software;
use perf_event::{Builder, Counter};

use crate::error::{Error, ErrorKind, Result};
use crate::host::cpus::is_online;
use crate::host::elevation;
use crate::host::remedy::{self, Asked, Place};

/// Timers that run only while a thread of the cgroup does, one per CPU: a CPU
/// that idles is not woken.
pub(in crate::kernel) fn of_cgroup(
    cgroup: &File,
    cpus: &[u32],
    frequency_hz: u32,
    program: RawFd,
) -> Result<BTreeMap<u32, Counter>> {
    cpus.iter()
        .filter_map(|&cpu| {
            let mut builder = timer(frequency_hz);
            builder.observe_cgroup(cgroup).one_cpu(cpu as usize);
            let started = start(&builder, program);
            // A CPU that went offline meanwhile runs nothing that could be sampled.
            (started.is_ok() || is_online(cpu)).then(|| started.map(|counter| (cpu, counter)))
        })
        .collect()
}

/// A timer of the process `pid`, which its future children inherit; opened
/// before it runs.
pub(in crate::kernel) fn of_process(
    pid: u32,
    frequency_hz: u32,
    program: RawFd,
) -> Result<Vec<Counter>> {
    let pid = i32::try_from(pid)
        .map_err(|_| Error::new(ErrorKind::Internal, format!("{pid} is no process id")))?;
    let mut builder = timer(frequency_hz);
    builder.observe_pid(pid).any_cpu().inherit(true);
    Ok(vec![start(&builder, program)?])
}

/// CPU time of the thread or cgroup, with a fixed period in nanoseconds: with
/// a frequency, the kernel would change the period as it goes, and samples
/// would not have equal weights.
fn timer<'a>(frequency_hz: u32) -> Builder<'a> {
    let mut builder = Builder::new(Software::CPU_CLOCK);
    builder
        .sample_period(1_000_000_000 / u64::from(frequency_hz.max(1)))
        .include_kernel()
        .include_hv()
        .enabled(false);
    builder
}

fn start(builder: &Builder<'_>, program: RawFd) -> Result<Counter> {
    let failed = |error: &std::io::Error| {
        let what = format!("cannot start the sampling timer: {error}");
        match remedy::of(Asked::Events, error.raw_os_error(), &Place::here()) {
            Some(remedy) => {
                let sentence = format!("{what}: {}", remedy.cause);
                Error::new(remedy.kind(), sentence).hint(remedy.hint)
            }
            None => Error::new(ErrorKind::Unavailable, what)
                .hint("with --frequency 0 no stacks are sampled"),
        }
    };
    let _raised = elevation::raised(elevation::KERNEL);
    let mut counter = builder.build().map_err(|error| failed(&error))?;
    counter.set_bpf(program).map_err(|error| failed(&error))?;
    counter.enable().map_err(|error| failed(&error))?;
    Ok(counter)
}
