//! What was counted, as text and as keys.

use crate::measurement::{Event, EventUnit};

use super::number::{large, time};

/// The key of an event in JSON and CSV: `cache_misses`, `smt_shared_ns`.
pub(in crate::output) fn key(event: Event) -> String {
    let name = event.name().replace('-', "_");
    match event.unit() {
        EventUnit::Nanoseconds => name + "_ns",
        EventUnit::Count => name,
    }
}

/// A number of an event, for people.
pub(in crate::output) fn value(event: Event, number: u64) -> String {
    match event.unit() {
        EventUnit::Nanoseconds => time(number),
        EventUnit::Count => large(number as f64),
    }
}

/// Instructions per cycle: `1.23`; a dash without cycles.
pub(in crate::output) fn per_cycle(instructions: u64, cycles: u64) -> String {
    match cycles {
        0 => "–".to_owned(),
        cycles => format!("{:.2}", instructions as f64 / cycles as f64),
    }
}
