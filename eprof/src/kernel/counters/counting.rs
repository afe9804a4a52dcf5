//! Which counters are asked for, and where they come from.

use crate::measurement::Counter;

/// A counter that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    /// What it is taken for.
    pub counter: Counter,
    /// What counts.
    pub event: CountedEvent,
}

/// What counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CountedEvent {
    /// The processor's own event of that name (`PERF_TYPE_HARDWARE`).
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

impl Counting {
    /// The processor's own event.
    pub fn hardware(counter: Counter) -> Self {
        Self {
            counter,
            event: CountedEvent::Hardware,
        }
    }

    /// An event of some other PMU in the place of `counter`.
    pub fn pmu(counter: Counter, pmu: &str, event: &str) -> Self {
        Self {
            counter,
            event: CountedEvent::Pmu {
                pmu: pmu.to_owned(),
                event: event.to_owned(),
            },
        }
    }
}
