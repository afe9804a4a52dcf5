//! The health of counters: whether what they say can be used.

use std::collections::{BTreeMap, BTreeSet};

use crate::caveat::Caveat;
use crate::measurement::Counter;
use crate::unit::Nanos;

/// What a counter did so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CounterState {
    /// It counted all the time.
    Live,
    /// It stood still while its CPU was busy.
    Stalled,
    /// It was never scheduled.
    NeverRan,
    /// It shared the hardware with others: it counted only some of the time,
    /// and what it missed is not known.
    Multiplexed,
}

/// What `running` of `enabled` nanoseconds says of a counter
/// (`PERF_FORMAT_TOTAL_TIME_*`, perf_event_open(2)). Counts are never scaled
/// up: a guess is no measurement.
pub fn classify(enabled: u64, running: u64) -> CounterState {
    // The kernel takes both times from the same clock, but not at the very
    // same instant: allow for a difference of one in ten thousand.
    let slack = enabled / 10_000;
    if running == 0 {
        CounterState::NeverRan
    } else if running.saturating_add(slack) < enabled {
        CounterState::Multiplexed
    } else {
        CounterState::Live
    }
}

/// How long a CPU can be busy before a counter that says nothing has stalled.
/// Cycles and instructions pass at any time; a small program may well live in
/// the caches for a while.
const fn longest_silence(counter: Counter) -> Nanos {
    match counter {
        Counter::Cycles | Counter::ReferenceCycles | Counter::Instructions => Nanos(10_000_000),
        Counter::CacheMisses => Nanos(1_000_000_000),
    }
}

/// Notices counters that stand still while their CPU is busy.
#[derive(Debug, Default)]
pub(in crate::kernel) struct Pulse {
    /// Busy time since each counter of each CPU last moved.
    silent: BTreeMap<(u32, Counter), Nanos>,
    stalled: BTreeSet<(u32, Counter)>,
}

impl Pulse {
    /// Takes in that on `cpu`, busy for `busy`, `counter` counted `events`.
    pub(in crate::kernel) fn watch(
        &mut self,
        cpu: u32,
        counter: Counter,
        busy: Nanos,
        events: u64,
    ) {
        let silent = self.silent.entry((cpu, counter)).or_default();
        if events > 0 {
            *silent = Nanos::ZERO;
            return;
        }
        *silent += busy;
        if *silent >= longest_silence(counter) {
            self.stalled.insert((cpu, counter));
        }
    }

    /// Whether the counter ever stood still.
    pub(in crate::kernel) fn stalled(&self, cpu: u32, counter: Counter) -> bool {
        self.stalled.contains(&(cpu, counter))
    }
}

/// The caveats for counters that are not healthy on all CPUs, one for each
/// reason; each counter is told once, for the worst.
pub(in crate::kernel) fn caveats(states: &[(u32, Counter, CounterState)]) -> Vec<Caveat> {
    let worst = |counter: Counter| {
        let of_it = states.iter().filter(move |(_, other, _)| *other == counter);
        of_it.map(|(.., state)| *state).max()
    };
    let reasons = [
        (
            CounterState::Multiplexed,
            "counter-multiplexed",
            "ran only some of the time",
        ),
        (CounterState::NeverRan, "counter-never-ran", "never ran"),
        (
            CounterState::Stalled,
            "counter-stalled",
            "stood still on a busy CPU",
        ),
    ];
    reasons
        .into_iter()
        .filter_map(|(state, code, did)| {
            let names: Vec<&str> = Counter::ALL
                .into_iter()
                .filter(|counter| worst(*counter) == Some(state))
                .map(Counter::name)
                .collect();
            (!names.is_empty()).then(|| {
                Caveat::new(
                    code,
                    format!("counted, but {did}, so not used: {}", names.join(", ")),
                )
                .hint("end other profilers, or set kernel.nmi_watchdog=0")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counters_are_told_apart() {
        assert_eq!(classify(0, 0), CounterState::NeverRan);
        assert_eq!(classify(1_000_000, 0), CounterState::NeverRan);
        assert_eq!(classify(1_000_000, 500_000), CounterState::Multiplexed);
        assert_eq!(classify(1_000_000, 999_999), CounterState::Live);
        assert_eq!(classify(1_000_000, 1_000_000), CounterState::Live);
    }

    #[test]
    fn a_counter_that_stands_still_on_a_busy_cpu_has_stalled() {
        let (cycles, misses) = (Counter::Cycles, Counter::CacheMisses);
        let mut pulse = Pulse::default();
        let ms = |n: u64| Nanos(n * 1_000_000);
        pulse.watch(0, cycles, ms(9), 0);
        pulse.watch(0, misses, ms(900), 0);
        pulse.watch(1, cycles, ms(0), 0);
        assert!(!pulse.stalled(0, cycles) && !pulse.stalled(0, misses));
        // It moved: what was before is forgotten.
        pulse.watch(0, cycles, ms(9), 1);
        pulse.watch(0, cycles, ms(9), 0);
        assert!(!pulse.stalled(0, cycles));
        pulse.watch(0, cycles, ms(1), 0);
        pulse.watch(0, misses, ms(100), 0);
        assert!(pulse.stalled(0, cycles) && pulse.stalled(0, misses));
        assert!(!pulse.stalled(1, cycles), "an idle CPU has no cycles");
        // Once is enough.
        pulse.watch(0, cycles, ms(9), 1);
        assert!(pulse.stalled(0, cycles));
    }

    #[test]
    fn one_bad_cpu_is_enough_and_the_worst_reason_is_told() {
        let (cycles, misses) = (Counter::Cycles, Counter::CacheMisses);
        let live = (0, cycles, CounterState::Live);
        assert_eq!(caveats(&[live, (1, cycles, CounterState::Live)]), []);
        let told = caveats(&[
            live,
            (1, cycles, CounterState::Stalled),
            (2, cycles, CounterState::Multiplexed),
            (0, Counter::Instructions, CounterState::Multiplexed),
            (0, misses, CounterState::NeverRan),
        ]);
        let told: Vec<(&str, &str)> = told
            .iter()
            .map(|caveat| (caveat.code.as_str(), caveat.sentence.as_str()))
            .collect();
        let [(first, many), (second, one)] = told[..] else {
            unreachable!("{told:?}");
        };
        assert_eq!(
            (first, second),
            ("counter-multiplexed", "counter-never-ran")
        );
        assert!(many.ends_with("cycles, instructions"), "{many}");
        assert!(one.ends_with(": cache-misses"), "{one}");
    }

    proptest! {
        #[test]
        fn what_ran_half_the_time_is_never_live(enabled in 2u64.., part in 0.0..0.5) {
            let running = (enabled as f64 * part) as u64;
            prop_assert!(classify(enabled, running) != CounterState::Live);
        }
    }
}
