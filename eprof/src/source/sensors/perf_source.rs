//! The `power` PMUs: opening and reading, one group of events per CPU.

use std::io::{Error as IoError, ErrorKind as IoKind, Result as IoResult};

use perf_event::events::Event;
use perf_event::{Builder, Counter, ReadFormat};
use perf_event_open_sys::bindings::perf_event_attr;

use super::perf_power::PowerEvent;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::measurement::{Meter, MeterId, Reading};
use crate::source::selection::candidate::{Discovery, Unusable};
use crate::source::{Backend, EnergySource};

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

struct Group {
    counters: Box<dyn CounterGroup>,
    /// The meter that each value belongs to, where it is still wanted.
    meters: Vec<Option<usize>>,
}

/// The meters of the `power` PMUs.
pub struct PerfSource {
    meters: Vec<Meter>,
    groups: Vec<Group>,
}

impl PerfSource {
    /// Opens what was discovered, a group per PMU and CPU. Events that the
    /// kernel refuses are returned with the reason; one that cannot be in the
    /// group of its CPU is opened alone.
    pub fn open(found: Discovery<PowerEvent>, opener: &mut dyn Opener) -> (Self, Vec<Unusable>) {
        let mut source = Self {
            meters: Vec::new(),
            groups: Vec::new(),
        };
        let mut unusable = found.unusable;
        let mut rest = found.found;
        while let Some(((_, first), _)) = rest.split_first() {
            let first = *first;
            let (together, others): (Vec<_>, Vec<_>) = rest
                .into_iter()
                .partition(|(_, at)| at.pmu_type == first.pmu_type && at.cpu == first.cpu);
            rest = others;
            source.open_group(together, opener, &mut unusable);
        }
        // Back into the order of discovery, without holes in the numbers.
        source.sort();
        (source, unusable)
    }

    fn open_group(
        &mut self,
        wanted: Vec<(Meter, PowerEvent)>,
        opener: &mut dyn Opener,
        unusable: &mut Vec<Unusable>,
    ) {
        let events: Vec<PowerEvent> = wanted.iter().map(|(_, at)| *at).collect();
        if let Ok(counters) = opener.open(&events) {
            let first = self.meters.len();
            let meters = (first..first + wanted.len()).map(Some).collect();
            self.meters
                .extend(wanted.into_iter().map(|(meter, _)| meter));
            self.groups.push(Group { counters, meters });
            return;
        }
        for (meter, at) in wanted {
            match opener.open(&[at]) {
                Ok(counters) => {
                    let meters = vec![Some(self.meters.len())];
                    self.meters.push(meter);
                    self.groups.push(Group { counters, meters });
                }
                Err(error) => unusable.push(refused(&meter, &error)),
            }
        }
    }

    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.meters.len()).collect();
        order.sort_by_key(|&i| self.meters.get(i).map(|meter| meter.id));
        let mut position = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            if let Some(slot) = position.get_mut(old) {
                *slot = new;
            }
        }
        for slot in self.groups.iter_mut().flat_map(|group| &mut group.meters) {
            *slot = slot.and_then(|old| position.get(old).copied());
        }
        self.meters.sort_by_key(|meter| meter.id);
        for (position, meter) in self.meters.iter_mut().enumerate() {
            meter.id = MeterId(u16::try_from(position).unwrap_or(u16::MAX));
        }
    }
}

/// Why the kernel refused an event, and what to do about it.
pub fn refused(meter: &Meter, error: &IoError) -> Unusable {
    match error.kind() {
        IoKind::PermissionDenied => {
            Unusable::new(&meter.name, "this user may not open CPU-wide perf events")
                .remedy(PERF_REMEDY)
        }
        _ => Unusable::new(
            &meter.name,
            format!("the kernel refuses to open it: {error}"),
        ),
    }
}

/// The exact line that allows CPU-wide perf events.
pub const PERF_REMEDY: &str = "sudo setcap cap_perfmon,cap_bpf+ep \"$(command -v eprof)\"   # or: \
                               sudo sysctl kernel.perf_event_paranoid=0";

impl EnergySource for PerfSource {
    fn meters(&self) -> &[Meter] {
        &self.meters
    }

    fn read(&mut self) -> Result<Vec<Reading>> {
        let mut readings = Vec::with_capacity(self.meters.len());
        let mut gone = 0;
        for group in &mut self.groups {
            let begin = clock::now();
            let values = group.counters.read();
            let end = clock::now();
            match values {
                Ok(values) => {
                    for (raw, slot) in values.into_iter().zip(&group.meters) {
                        let meter = slot.and_then(|slot| self.meters.get(slot));
                        readings.extend(meter.map(|meter| Reading {
                            updated: None,
                            meter: meter.id,
                            raw,
                            begin,
                            end,
                        }));
                    }
                }
                // End of file: the PMU or its CPU was removed (TPMI drivers
                // register again when the root package changes).
                Err(error) if error.kind() == IoKind::UnexpectedEof => gone += 1,
                Err(_) => {}
            }
        }
        if gone > 0 && gone == self.groups.len() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the kernel removed the power PMU",
            ));
        }
        readings.sort_by_key(|reading| reading.meter);
        Ok(readings)
    }
}

impl Backend for PerfSource {
    fn narrow(&mut self, fate: Vec<Option<Meter>>) {
        let mut position = Vec::with_capacity(fate.len());
        let mut kept = Vec::new();
        for meter in fate {
            position.push(meter.is_some().then_some(kept.len()));
            kept.extend(meter);
        }
        self.meters = kept;
        for group in &mut self.groups {
            for slot in &mut group.meters {
                *slot = slot.and_then(|old| position.get(old).copied().flatten());
            }
        }
        self.groups
            .retain(|group| group.meters.iter().any(Option::is_some));
    }
}
