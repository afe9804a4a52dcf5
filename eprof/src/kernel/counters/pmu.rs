//! The hardware counters, opened on every CPU.

use std::os::fd::{AsRawFd, BorrowedFd};

use perf_event::events::{Dynamic, Event, Hardware};
use perf_event::{Builder, Counter as PerfCounter, ReadFormat};
use perf_event_open_sys::bindings::{PERF_TYPE_HARDWARE, perf_event_attr};

use super::counting::{CountedEvent, Counting};
use super::health;
use super::health::{CounterState, Pulse};
use crate::caveat::Caveat;
use crate::host::{CorePmu, elevation};
use crate::kernel::bpf;
use crate::measurement::{Counter, CpuAccount};

/// One counter of each kind per CPU.
#[derive(Default)]
pub(in crate::kernel) struct Counters {
    open: Vec<Open>,
    pulse: Pulse,
}

struct Open {
    cpu: u32,
    counter: Counter,
    event: PerfCounter,
}

/// A counter that there is not, and why.
pub(in crate::kernel) struct Absent {
    counter: Counter,
    why: Why,
}

enum Why {
    /// The processor (or what pretends to be one) has no such event.
    Unknown,
    /// The kernel's word.
    Refused(String),
}

/// A hardware event of one of several core PMUs
/// (`PERF_PMU_TYPE_SHIFT` in `include/uapi/linux/perf_event.h`, Linux 5.13).
#[derive(Clone, Copy)]
struct OfCorePmu {
    event: u64,
    pmu: u32,
}

impl Event for OfCorePmu {
    fn update_attrs(self, attributes: &mut perf_event_attr) {
        attributes.type_ = PERF_TYPE_HARDWARE;
        attributes.config = self.event | u64::from(self.pmu) << 32;
    }
}

fn hardware(counter: Counter) -> Hardware {
    match counter {
        Counter::Cycles => Hardware::CPU_CYCLES,
        Counter::ReferenceCycles => Hardware::REF_CPU_CYCLES,
        Counter::Instructions => Hardware::INSTRUCTIONS,
        Counter::CacheMisses => Hardware::CACHE_MISSES,
    }
}

impl Counters {
    /// Opens what is `wanted` on all `cpus`. A counter that is missing on one
    /// of them is left out: what is counted on some CPUs only compares with
    /// nothing.
    pub(in crate::kernel) fn open(
        wanted: &[Counting],
        cpus: &[u32],
        core_pmus: &[CorePmu],
    ) -> (Self, Vec<Absent>) {
        let mut counters = Self::default();
        let mut absent = Vec::new();
        for counting in wanted {
            let counter = counting.counter;
            if counters.present().contains(&counter) {
                continue;
            }
            let opened: Result<Vec<Open>, Why> = cpus
                .iter()
                .map(|&cpu| {
                    let _raised = elevation::raised(elevation::KERNEL);
                    let event = builder(counting, cpu, core_pmus)?
                        .one_cpu(cpu as usize)
                        .build()
                        .map_err(|error| absence(cpu, &error))?;
                    Ok(Open {
                        cpu,
                        counter,
                        event,
                    })
                })
                .collect();
            match opened {
                Ok(opened) => counters.open.extend(opened),
                Err(why) => absent.push(Absent { counter, why }),
            }
        }
        (counters, absent)
    }

    /// The counters that there are, ascending.
    pub(in crate::kernel) fn present(&self) -> Vec<Counter> {
        let open = |counter: &Counter| self.open.iter().any(|open| open.counter == *counter);
        Counter::ALL.into_iter().filter(open).collect()
    }

    /// The same, one bit each.
    pub(in crate::kernel) fn mask(&self) -> u32 {
        self.present()
            .into_iter()
            .fold(0, |mask, counter| mask | 1 << counter as u32)
    }

    /// Puts a counter into the map by which the kernel programs read it.
    pub(in crate::kernel) fn install(
        &self,
        counter: Counter,
        map: BorrowedFd<'_>,
    ) -> std::io::Result<()> {
        for open in self.open.iter().filter(|open| open.counter == counter) {
            bpf::set_u32(map, open.cpu, open.event.as_raw_fd() as u32)?;
        }
        Ok(())
    }

    /// Looks whether the counters moved in an interval.
    pub(in crate::kernel) fn watch(&mut self, cpus: &[CpuAccount]) {
        for account in cpus {
            let all = account.all();
            for open in self.open.iter().filter(|open| open.cpu == account.cpu) {
                let events = all[open.counter];
                self.pulse.watch(open.cpu, open.counter, all.on_cpu, events);
            }
        }
    }

    /// What each counter did on each CPU so far.
    pub(in crate::kernel) fn states(&mut self) -> Vec<(u32, Counter, CounterState)> {
        let nanos = |time: Option<std::time::Duration>| {
            time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
        };
        let pulse = &self.pulse;
        self.open
            .iter_mut()
            .map(|open| {
                let mut state = open
                    .event
                    .read_full()
                    .map_or(CounterState::NeverRan, |data| {
                        health::classify(nanos(data.time_enabled()), nanos(data.time_running()))
                    });
                if state == CounterState::Live && pulse.stalled(open.cpu, open.counter) {
                    state = CounterState::Stalled;
                }
                (open.cpu, open.counter, state)
            })
            .collect()
    }
}

/// The event `counting` asks for on `cpu`.
fn builder<'a>(counting: &Counting, cpu: u32, core_pmus: &[CorePmu]) -> Result<Builder<'a>, Why> {
    let mut builder = match &counting.event {
        CountedEvent::Hardware => {
            let event = hardware(counting.counter);
            let core = core_pmus
                .iter()
                .find(|pmu| pmu.cpus.binary_search(&cpu).is_ok());
            match core.and_then(|pmu| pmu.number) {
                Some(pmu) => Builder::new(OfCorePmu {
                    event: event.into(),
                    pmu,
                }),
                None => Builder::new(event),
            }
        }
        CountedEvent::Pmu { pmu, event } => {
            let say =
                |error: &dyn std::fmt::Display| Why::Refused(format!("{pmu}/{event}/: {error}"));
            let mut dynamic = Dynamic::builder(pmu).map_err(|error| say(&error))?;
            dynamic.event(event).map_err(|error| say(&error))?;
            Builder::new(dynamic.build().map_err(|error| say(&error))?)
        }
    };
    // PMUs that cannot exclude anything refuse to be asked for it.
    builder
        .include_kernel()
        .include_hv()
        .enabled(true)
        .read_format(ReadFormat::TOTAL_TIME_ENABLED | ReadFormat::TOTAL_TIME_RUNNING)
        .any_pid();
    Ok(builder)
}

/// Why there is no counter on `cpu`.
fn absence(cpu: u32, error: &std::io::Error) -> Why {
    match error.raw_os_error() {
        // What perf_event_open(2) answers where the event does not exist.
        Some(libc::ENOENT | libc::EOPNOTSUPP | libc::ENODEV) => Why::Unknown,
        _ => Why::Refused(format!("CPU {cpu}: {error}")),
    }
}

/// What it means that these counters are not there, where those in `present`
/// are: one caveat for all of them, or the one that there are no cycles.
pub(in crate::kernel) fn caveat(absent: &[Absent], present: &[Counter]) -> Option<Caveat> {
    let first = absent.first()?;
    let why = match &first.why {
        Why::Unknown => "this processor does not count them".to_owned(),
        Why::Refused(why) => why.clone(),
    };
    let cycles = absent
        .iter()
        .any(|absent| absent.counter == Counter::Cycles);
    if cycles && present.is_empty() {
        let why = match &first.why {
            Why::Unknown => {
                "hardware counters are not visible here, as in most virtual machines".to_owned()
            }
            Why::Refused(why) => why.clone(),
        };
        return Some(Caveat::new(
            "no-cycles",
            format!("{why}, so energy is divided by CPU time, not by cycles"),
        ));
    }
    let names: Vec<&str> = absent.iter().map(|absent| absent.counter.name()).collect();
    Some(Caveat::new(
        if cycles { "no-cycles" } else { "no-counter" },
        format!("{} are not counted: {why}", names.join(", ")),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(counter: Counter) -> Absent {
        Absent {
            counter,
            why: Why::Unknown,
        }
    }

    #[test]
    fn what_is_missing_is_told_once_by_name() {
        assert_eq!(caveat(&[], &Counter::ALL), None);
        let all: Vec<Absent> = Counter::ALL.into_iter().map(missing).collect();
        let told = caveat(&all, &[]);
        assert!(told.is_some_and(|told| {
            told.code == "no-cycles"
                && told
                    .sentence
                    .contains("hardware counters are not visible here")
        }));
        let two = [
            missing(Counter::ReferenceCycles),
            missing(Counter::CacheMisses),
        ];
        let told = caveat(&two, &[Counter::Cycles, Counter::Instructions]);
        assert!(told.is_some_and(|told| told.code == "no-counter"
            && told.sentence.contains("reference-cycles, cache-misses")));
    }

    #[test]
    fn events_of_core_pmus_name_their_pmu() {
        let mut attributes = perf_event_attr::default();
        let event = OfCorePmu {
            event: Hardware::INSTRUCTIONS.into(),
            pmu: 10,
        };
        event.update_attrs(&mut attributes);
        assert_eq!(attributes.type_, 0);
        assert_eq!(attributes.config, 10 << 32 | 1);
    }
}
