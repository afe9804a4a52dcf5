//! The `power` PMUs: opening and reading, one group of events per CPU.

use std::io::{Error as IoError, ErrorKind as IoKind};

use super::discovery::{Discovery, Unusable};
use super::perf_event::{CounterGroup, Opener, PowerEvent};
use super::sensor::Found;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::host::remedy::{self, Asked, Place};
use crate::measurement::{Meter, MeterId, Reading};
use crate::source::{Backend, EnergySource};

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
    /// kernel refuses are unusable, with the reason; one that cannot be in the
    /// group of its CPU is opened alone.
    pub(super) fn found(discovery: Discovery<PowerEvent>, opener: &mut dyn Opener) -> Found {
        let mut source = Self {
            meters: Vec::new(),
            groups: Vec::new(),
        };
        let mut unusable = discovery.unusable;
        let mut rest = discovery.found;
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
        Found {
            source: Box::new(source),
            unusable,
            absent: discovery.absent,
        }
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

/// Why the kernel refused an event.
fn refused(meter: &Meter, error: &IoError) -> Unusable {
    match error.kind() {
        IoKind::PermissionDenied => {
            let remedy = remedy::of(Asked::Events, error.raw_os_error(), &Place::here());
            let cause = remedy.map_or_else(String::new, |remedy| format!(": {}", remedy.cause));
            let why = format!("the kernel does not let eprof open CPU-wide perf events{cause}");
            Unusable::denied(&meter.name, why)
        }
        _ => Unusable::new(
            &meter.name,
            format!("the kernel refuses to open it: {error}"),
        ),
    }
}

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
    fn keep(&mut self, meters: Vec<Option<Meter>>) {
        let mut position = Vec::with_capacity(meters.len());
        let mut kept = Vec::new();
        for meter in meters {
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
