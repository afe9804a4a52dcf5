//! Cycle counters, and whether what they say can be trusted.

use std::os::fd::{AsRawFd, BorrowedFd};

use perf_event::events::{Dynamic, Hardware};
use perf_event::{Builder, Counter, ReadFormat};

use super::bpf;
use crate::caveat::Caveat;

/// Which counter gives the cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CycleCounter {
    /// None: only time is accounted.
    #[default]
    None,
    /// The processor's own cycles (`PERF_COUNT_HW_CPU_CYCLES`).
    Hardware,
    /// An event of some other PMU, by the names in
    /// `/sys/bus/event_source/devices`, e.g. `msr` and `tsc`.
    Pmu {
        /// The PMU.
        pmu: String,
        /// The event.
        event: String,
    },
}

/// What a counter did so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterState {
    /// It was never scheduled.
    NeverRan,
    /// It was scheduled, but did not count.
    Stalled,
    /// It shared the hardware with others: it counted only some of the time,
    /// and what it missed is not known.
    Multiplexed,
    /// It counted all the time.
    Live,
}

/// What `count` after `running` of `enabled` nanoseconds says of a counter
/// (`PERF_FORMAT_TOTAL_TIME_*`, perf_event_open(2)). Counts are never scaled
/// up: a guess is no measurement.
pub fn classify(count: u64, enabled: u64, running: u64) -> CounterState {
    // The kernel takes both times from the same clock, but not at the very
    // same instant: allow for a difference of one in ten thousand.
    let slack = enabled / 10_000;
    if running == 0 {
        CounterState::NeverRan
    } else if running.saturating_add(slack) < enabled {
        CounterState::Multiplexed
    } else if count == 0 {
        CounterState::Stalled
    } else {
        CounterState::Live
    }
}

/// One counter per CPU.
pub(super) struct Cycles {
    counters: Vec<(u32, Counter)>,
}

impl Cycles {
    /// Opens one counter per CPU.
    pub(super) fn open(which: &CycleCounter, cpus: &[u32]) -> Result<Option<Self>, String> {
        let mut builder = match which {
            CycleCounter::None => return Ok(None),
            CycleCounter::Hardware => Builder::new(Hardware::CPU_CYCLES),
            CycleCounter::Pmu { pmu, event } => {
                let say = |error: &dyn std::fmt::Display| format!("{pmu}/{event}/: {error}");
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
        let mut counters = Vec::new();
        for &cpu in cpus {
            let counter = builder
                .one_cpu(cpu as usize)
                .build()
                .map_err(|error| absence(cpu, &error))?;
            counters.push((cpu, counter));
        }
        Ok(Some(Self { counters }))
    }

    /// Puts the counters into the map that the kernel programs read them by.
    pub(super) fn install(&self, map: BorrowedFd<'_>) -> std::io::Result<()> {
        for (cpu, counter) in &self.counters {
            bpf::set_u32(map, *cpu, counter.as_raw_fd() as u32)?;
        }
        Ok(())
    }

    /// What each CPU's counter did so far.
    pub(super) fn states(&mut self) -> Vec<(u32, CounterState)> {
        self.counters
            .iter_mut()
            .map(|(cpu, counter)| {
                let nanos = |time: Option<std::time::Duration>| {
                    time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
                };
                let state = counter.read_full().map_or(CounterState::NeverRan, |data| {
                    classify(
                        data.count(),
                        nanos(data.time_enabled()),
                        nanos(data.time_running()),
                    )
                });
                (*cpu, state)
            })
            .collect()
    }
}

/// Why there is no counter on `cpu`.
fn absence(cpu: u32, error: &std::io::Error) -> String {
    match error.raw_os_error() {
        // What perf_event_open(2) answers where the event does not exist.
        Some(libc::ENOENT | libc::EOPNOTSUPP | libc::ENODEV) => {
            "hardware counters are not visible here, as in most virtual machines".to_owned()
        }
        _ => format!("CPU {cpu}: {error}"),
    }
}

/// The code of the caveat that counters ran only some of the time: what they
/// counted is no weight for the whole of it.
pub const MULTIPLEXED: &str = "counter-multiplexed";

/// The caveat for CPUs whose cycles cannot be trusted; `None` if all can.
pub(super) fn distrust(states: &[(u32, CounterState)]) -> Option<Caveat> {
    let bad = |state| states.iter().filter(|(_, other)| *other == state).count();
    let all = states.len();
    let (code, sentence) = match (
        bad(CounterState::Multiplexed),
        bad(CounterState::NeverRan),
        bad(CounterState::Stalled),
    ) {
        (0, 0, 0) => return None,
        (0, 0, n) => (
            "counter-stalled",
            format!("the cycle counter stood still on {n} of {all} CPUs"),
        ),
        (0, n, _) => (
            "counter-never-ran",
            format!("the cycle counter never ran on {n} of {all} CPUs"),
        ),
        (n, ..) => (
            MULTIPLEXED,
            format!("the cycle counter ran only some of the time on {n} of {all} CPUs"),
        ),
    };
    Some(
        Caveat::new(
            code,
            format!("{sentence}, so energy is shared by time, not by cycles"),
        )
        .hint("end other profilers, or set kernel.nmi_watchdog=0"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counters_are_told_apart() {
        assert_eq!(classify(0, 0, 0), CounterState::NeverRan);
        assert_eq!(classify(0, 1_000_000, 0), CounterState::NeverRan);
        assert_eq!(classify(0, 1_000_000, 1_000_000), CounterState::Stalled);
        assert_eq!(classify(5, 1_000_000, 500_000), CounterState::Multiplexed);
        assert_eq!(classify(5, 1_000_000, 999_999), CounterState::Live);
        assert_eq!(classify(5, 1_000_000, 1_000_000), CounterState::Live);
    }

    #[test]
    fn one_bad_counter_is_enough_to_distrust_all() {
        let live = (0, CounterState::Live);
        assert_eq!(distrust(&[live, live]), None);
        let code = |state| distrust(&[live, (1, state)]).map(|caveat| caveat.code);
        assert_eq!(
            code(CounterState::Stalled).as_deref(),
            Some("counter-stalled")
        );
        assert_eq!(
            code(CounterState::NeverRan).as_deref(),
            Some("counter-never-ran")
        );
        assert_eq!(
            code(CounterState::Multiplexed).as_deref(),
            Some("counter-multiplexed")
        );
    }

    proptest! {
        #[test]
        fn what_ran_half_the_time_is_never_trusted(count: u64, enabled in 2u64.., part in 0.0..0.5) {
            let running = (enabled as f64 * part) as u64;
            prop_assert!(classify(count, enabled, running) != CounterState::Live);
        }
    }
}
