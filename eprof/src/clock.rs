//! The one clock: `CLOCK_MONOTONIC`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::unit::Timestamp;

/// Now, on `CLOCK_MONOTONIC`.
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
        .unwrap_or_default()
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
