//! Perf events of the `power` PMUs: how they are opened and read.

use std::io::{Error as IoError, ErrorKind as IoKind, Result as IoResult};

use perf_event::events::Event;
use perf_event::{Builder, Counter, ReadFormat};
use perf_event_open_sys::bindings::perf_event_attr;

use crate::host::elevation;

/// How to reach one meter: what to pass to `perf_event_open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerEvent {
    /// The PMU's dynamic type number.
    pub pmu_type: u32,
    /// The event's `config`.
    pub config: u64,
    /// The CPU to open it on, from the PMU's cpumask.
    pub cpu: u32,
}

/// Events that are read by one system call, in the order of opening.
pub trait CounterGroup: Send {
    /// The values of all events.
    ///
    /// # Errors
    /// Whatever `read(2)` says; `WouldBlock` when the kernel has not had the
    /// events on the PMU yet, so that there is no value.
    fn read(&mut self) -> IoResult<Vec<u64>>;
}

/// Opens groups of events: the kernel's `perf_event_open`, or what stands in
/// for it where there is no such hardware.
pub trait Opener: Send {
    /// Opens events that share a PMU and a CPU.
    ///
    /// # Errors
    /// Whatever the kernel says about any of them.
    fn open(&mut self, events: &[PowerEvent]) -> IoResult<Box<dyn CounterGroup>>;
}

/// The kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelOpener;

struct Attributes(PowerEvent);

impl Event for Attributes {
    fn update_attrs(self, attr: &mut perf_event_attr) {
        attr.type_ = self.0.pmu_type;
        attr.config = self.0.config;
    }
}

struct KernelGroup {
    leader: Counter,
    members: Vec<Counter>,
}

impl Opener for KernelOpener {
    fn open(&mut self, events: &[PowerEvent]) -> IoResult<Box<dyn CounterGroup>> {
        let _raised = elevation::raised(elevation::KERNEL);
        let builder = |event: PowerEvent| {
            let mut builder = Builder::new(Attributes(event));
            // The PMU cannot exclude anything and says EINVAL if asked to.
            builder
                .any_pid()
                .one_cpu(event.cpu as usize)
                .include_kernel()
                .include_hv()
                .enabled(true)
                .read_format(
                    ReadFormat::GROUP
                        | ReadFormat::ID
                        | ReadFormat::TOTAL_TIME_ENABLED
                        | ReadFormat::TOTAL_TIME_RUNNING,
                );
            builder
        };
        let (first, rest) = events
            .split_first()
            .ok_or_else(|| IoError::new(IoKind::InvalidInput, "no event"))?;
        let mut leader = builder(*first).build()?;
        let mut members = Vec::with_capacity(rest.len());
        for event in rest {
            members.push(builder(*event).build_with_group(&mut leader)?);
        }
        Ok(Box::new(KernelGroup { leader, members }))
    }
}

impl CounterGroup for KernelGroup {
    fn read(&mut self) -> IoResult<Vec<u64>> {
        let data = self.leader.read_group()?;
        if data.time_running().is_some_and(|time| time.is_zero()) {
            return Err(IoError::from(IoKind::WouldBlock));
        }
        std::iter::once(&self.leader)
            .chain(&self.members)
            .map(|counter| {
                let entry = data.get(counter);
                entry
                    .map(|entry| entry.value())
                    .ok_or_else(|| IoError::from(IoKind::InvalidData))
            })
            .collect()
    }
}

/// Opens nothing: below a root that is not the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKernel;

impl Opener for NoKernel {
    fn open(&mut self, _: &[PowerEvent]) -> IoResult<Box<dyn CounterGroup>> {
        Err(IoError::other(
            "perf events belong to the running kernel, not to another root",
        ))
    }
}
