//! When to wake up next, and what for.
//!
//! ```text
//!            update expected            update expected          (10 ms later)
//!                 │ = boundary                                        │ = boundary
//!   ──────────────┼───────────────────────────────────────────────────┼────────►
//!     check ─────►│◄──── margin ────► close: read, flush, collect,
//!      (sometimes)                    set the next boundary
//! ```
//!
//! A boundary lies at the time at which an update of the main meter is expected,
//! and is set long before. eprof wakes up after it, when the update has
//! certainly come: the value then read is that of the boundary, give or take
//! what the update was early or late. From time to time it also wakes up just *at*
//! an expected update and checks whether it has come. That keeps the clock right
//! (see [`crate::source::update_clock::clock`]).
//!
//! Without a clock, boundaries come at regular times.

use crate::source::UpdateClocks;
use crate::source::update_clock::clock::Lock;
use crate::unit::{Nanos, Timestamp};

/// Longest time between two readings of the kernel's rings: at 997 Hz and 1 KiB a
/// sample, 8 MiB are full after 80 ms on 100 CPUs.
pub(super) const DRAIN: Nanos = Nanos(50_000_000);
/// A boundary is set at least so long before.
const NOTICE: Nanos = Nanos(50_000);
/// A clock that is due for a check before the boundary, but by no more than this,
/// is checked at the boundary: this saves a wake-up.
const DEFERRABLE: Nanos = Nanos(50_000_000);
/// A clock is not checked more often than this.
const SHORTEST_REST: Nanos = Nanos(2_000_000);
/// Waking up late by more than this, in ns, does not count as usual.
const UNUSUAL: f64 = 300_000.0;

/// What to do when woken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Read the meters, only to see whether an update has come.
    Check,
    /// Close the interval.
    Boundary,
    /// Empty the kernel's rings.
    Drain,
}

/// The next wake-ups.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval: Nanos,
    /// When the current interval should end.
    wanted: Timestamp,
    /// When to close it.
    boundary: Timestamp,
    drain: Timestamp,
    /// Further readings, in order of time.
    checks: Vec<Timestamp>,
    /// How long after the alarm a reading usually comes, ns.
    lead: f64,
}

impl Schedule {
    /// Intervals of about `interval`, the first of which began at `begin`.
    pub fn new(interval: Nanos, begin: Timestamp) -> Self {
        let interval = Nanos(interval.0.max(1));
        Self {
            interval,
            wanted: begin,
            boundary: begin + interval,
            drain: begin + DRAIN,
            checks: Vec::new(),
            lead: 0.0,
        }
    }

    /// The same with intervals from `begin` on.
    pub fn anew(&self, begin: Timestamp) -> Self {
        Self::new(self.interval, begin)
    }

    /// Plans the interval that has begun; gives the boundary at its end, to be
    /// set now. `None` where it cannot be set in advance.
    pub fn plan(&mut self, clocks: &UpdateClocks, now: Timestamp) -> Option<Timestamp> {
        let passed = now.since(self.wanted).0 / self.interval.0;
        self.wanted = self.wanted + Nanos(self.interval.0.saturating_mul(passed + 1));
        // Hardly begun: the end of the next one is meant.
        if self.wanted.since(now).0 < self.interval.0 / 4 {
            self.wanted = self.wanted + self.interval;
        }
        self.drain = now + DRAIN;
        let Some((update, main)) = clocks
            .boundary(self.wanted, now + NOTICE)
            .zip(clocks.main())
        else {
            self.checks.clear();
            self.boundary = self.wanted;
            return None;
        };
        self.boundary = update.at + main.margin(&update);
        self.plan_checks(clocks, now);
        Some(update.at)
    }

    /// Plans the next checks of the clocks before the boundary.
    pub fn plan_checks(&mut self, clocks: &UpdateClocks, now: Timestamp) {
        self.checks.clear();
        let due = |lock: &Lock| now + lock.stale().since(now).max(SHORTEST_REST);
        if let Some(main) = clocks.main() {
            let (stale, update) = (due(main), main.nearest(self.boundary));
            // At the boundary itself, after which eprof reads anyway, unless
            // that is too far off.
            if stale + DEFERRABLE < update.at {
                self.observe(main, stale, now);
            } else if stale < update.at + Nanos(self.interval.0 / 2) {
                self.check_at(update.at, now);
            }
        }
        for other in clocks.others() {
            let stale = due(other);
            if stale < self.boundary + Nanos(self.interval.0 / 2) {
                self.observe(other, stale.min(self.boundary), now);
            }
        }
        self.checks.retain(|at| *at < self.boundary);
        self.checks.sort();
    }

    /// Two readings, at an update of `lock` near `at` and after it.
    fn observe(&mut self, lock: &Lock, at: Timestamp, now: Timestamp) {
        let update = lock.next(at);
        self.check_at(update.at, now);
        self.checks.push(update.at + lock.margin(&update));
    }

    /// One reading at `at`, as exactly as this machine wakes up.
    fn check_at(&mut self, at: Timestamp, now: Timestamp) {
        let alarm = Timestamp(at.0.saturating_sub(self.lead as u64));
        if alarm > now {
            self.checks.push(alarm);
        }
    }

    /// Empties the rings at `at`, if that would not happen before.
    pub fn hasten(&mut self, at: Timestamp) {
        self.drain = self.drain.min(at);
    }

    /// When to wake up.
    pub fn next(&self) -> Timestamp {
        let check = self.checks.first().copied();
        self.boundary
            .min(self.drain)
            .min(check.unwrap_or(self.boundary))
    }

    /// What is due at `now`.
    pub fn due(&mut self, now: Timestamp) -> Option<Due> {
        if self.boundary <= now {
            return Some(Due::Boundary);
        }
        let due = self.checks.iter().filter(|check| **check <= now).count();
        if due > 0 {
            self.checks.drain(..due);
            return Some(Due::Check);
        }
        (self.drain <= now).then(|| {
            self.drain = now + DRAIN;
            Due::Drain
        })
    }

    /// A check that was due at `alarm` was made at `read`, and `clocks` have
    /// learnt from it.
    pub fn checked(&mut self, alarm: Timestamp, read: Timestamp, clocks: &UpdateClocks) {
        let late = read.since(alarm).0 as f64;
        if late < UNUSUAL {
            self.lead += (late - self.lead) / 16.0;
        }
        if self.checks.is_empty() {
            self.plan_checks(clocks, read);
        }
    }
}
