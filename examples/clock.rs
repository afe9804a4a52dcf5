//! The clock that the examples hold against eprof.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// CPU time of this thread so far.
///
/// # Errors
/// Where the kernel has no such clock.
#[inline]
pub fn cpu_time() -> nix::Result<Duration> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from)
}
