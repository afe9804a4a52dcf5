//! What eprof's own process has used.

use nix::sys::resource::{UsageWho, getrusage};

use crate::unit::Nanos;

/// CPU time of eprof's own process so far, user and system.
pub(super) fn own_cpu_time() -> Nanos {
    getrusage(UsageWho::RUSAGE_SELF).map_or(Nanos::ZERO, |usage| {
        [usage.user_time(), usage.system_time()]
            .into_iter()
            .map(|time| {
                let micros = time.tv_sec().saturating_mul(1_000_000) + time.tv_usec();
                Nanos(u64::try_from(micros).unwrap_or(0).saturating_mul(1000))
            })
            .sum()
    })
}

/// Peak resident set size of eprof's own process, in bytes.
pub(super) fn peak_rss() -> u64 {
    // Linux counts it in KiB (getrusage(2)).
    getrusage(UsageWho::RUSAGE_SELF)
        .ok()
        .and_then(|usage| u64::try_from(usage.max_rss()).ok())
        .unwrap_or(0)
        .saturating_mul(1024)
}
