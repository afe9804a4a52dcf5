//! The one clock: `CLOCK_MONOTONIC`.

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
