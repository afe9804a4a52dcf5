//! Boundaries that are set in advance, moved, and overtaken.

use std::time::Duration;

use eprof::clock;
use eprof::kernel::Settings;
use eprof::unit::{Nanos, Timestamp};

use super::accounts::conserved;
use super::bench::{agrees, both, measure_by, turn};

const MS: Nanos = Nanos(1_000_000);
const HOUR: Nanos = Nanos(3_600_000_000_000);

fn sleep_past(at: Timestamp) {
    while clock::now() <= at {
        std::thread::sleep(Duration::from(at.since(clock::now())));
    }
}

/// What is expected of the end of an interval.
#[derive(Clone, Copy, Debug)]
enum Expected {
    At(Timestamp),
    Between(Timestamp, Timestamp),
}

#[test]
fn a_boundary_is_where_it_was_set_and_no_time_is_lost_there() {
    let Some(_turn) = turn() else { return };
    for settings in both(&Settings::default()) {
        let mut expected = Vec::new();
        let mut round = 0;
        let measured = measure_by(&settings, &["spin", "600"], None, |probe| {
            let now = clock::now();
            round += 1;
            let end = match round % 5 {
                // Set in advance, and passed.
                0 => {
                    let at = probe.arm(now + Nanos(7 * MS.0));
                    assert_eq!(at, now + Nanos(7 * MS.0));
                    sleep_past(at);
                    Expected::At(at)
                }
                // Moved to an earlier time, not to a later one.
                1 => {
                    probe.arm(now + HOUR);
                    let at = probe.arm(now + Nanos(5 * MS.0));
                    assert_eq!(at, now + Nanos(5 * MS.0));
                    assert_eq!(probe.arm(now + HOUR), at);
                    sleep_past(at);
                    // It has passed: it stays.
                    assert_eq!(probe.arm(now), at);
                    Expected::At(at)
                }
                // Far off, and overtaken by the end of the interval.
                2 => {
                    probe.arm(now + HOUR);
                    std::thread::sleep(Duration::from_millis(3));
                    Expected::Between(clock::now(), now + HOUR)
                }
                // In the past: now.
                3 => {
                    std::thread::sleep(Duration::from_millis(3));
                    let before = clock::now();
                    let at = probe.arm(now);
                    assert!(at > before);
                    Expected::At(at)
                }
                _ => {
                    std::thread::sleep(Duration::from_millis(4));
                    Expected::Between(clock::now(), now + HOUR)
                }
            };
            expected.push(end);
        });
        conserved(&measured);
        assert!(expected.len() >= 20, "{}", expected.len());
        for (interval, expected) in measured.intervals.iter().zip(&expected) {
            match expected {
                Expected::At(at) => assert_eq!(interval.end, *at),
                Expected::Between(from, to) => {
                    assert!(*from < interval.end && interval.end < *to, "{expected:?}");
                }
            }
        }
        agrees(&measured, "rusage", measured.rusage);
    }
}
