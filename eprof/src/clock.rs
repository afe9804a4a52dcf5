//! The one clock: `CLOCK_MONOTONIC` of the initial time namespace, which is that of
//! the kernel programs.
//!
//! In a time namespace (`unshare --time`) a process sees that clock with an offset;
//! the kernel programs and perf events do not (time_namespaces(7)).

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::unit::Timestamp;

/// Now.
///
/// The clock exists on every Linux; were reading it refused all the same, the
/// time is the epoch of the clock, which downstream checks see as going
/// backwards and report.
pub fn now() -> Timestamp {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .ok()
        .and_then(|time| {
            let seconds = u64::try_from(time.tv_sec()).ok()?;
            let nanos = u64::try_from(time.tv_nsec()).ok()?;
            Some(Timestamp(seconds * 1_000_000_000 + nanos))
        })
        .map(|own| Timestamp(own.0.saturating_add_signed(-offset())))
        .unwrap_or_default()
}

/// The same time on `CLOCK_MONOTONIC` as this process sees it: for what is asked of
/// the kernel by that clock, such as timers.
pub fn as_seen_here(at: Timestamp) -> Timestamp {
    Timestamp(at.0.saturating_add_signed(offset()))
}

/// The time `at` since 1970; the beginning of time where that is not known.
pub fn wall_clock(at: Timestamp) -> Duration {
    let passed = Duration::from(now().since(at));
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|now| now.checked_sub(passed))
        .unwrap_or_default()
}

/// How far this process's `CLOCK_MONOTONIC` is ahead of the initial one, in
/// nanoseconds. It is fixed once a process is in the namespace.
fn offset() -> i64 {
    static OFFSET: OnceLock<i64> = OnceLock::new();
    *OFFSET.get_or_init(|| {
        let text = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
        parse_offset(&text).unwrap_or(0)
    })
}

/// The line of `/proc/PID/timens_offsets` for this clock: its name (or, before Linux
/// 5.7, its number), seconds, nanoseconds.
fn parse_offset(text: &str) -> Option<i64> {
    text.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        matches!(fields.next(), Some("monotonic" | "1")).then_some(())?;
        let seconds: i64 = fields.next()?.parse().ok()?;
        let nanos: i64 = fields.next()?.parse().ok()?;
        seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_may_be_negative_and_has_both_parts() {
        let offsets = "monotonic           86400         5\nboottime  7 0\n";
        assert_eq!(parse_offset(offsets), Some(86_400_000_000_005));
        assert_eq!(
            parse_offset("monotonic -2 500000000\n"),
            Some(-1_500_000_000)
        );
        assert_eq!(parse_offset("boottime 3 0\n"), None);
    }

    #[test]
    fn there_and_back_is_the_same_time() {
        let at = now();
        assert_eq!(as_seen_here(at).0.saturating_add_signed(-offset()), at.0);
    }
}
