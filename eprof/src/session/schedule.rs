//! When to wake up next, and what for.
//!
//! ```text
//!            update expected            update expected          (10 ms later)
//!                 │ = border                                          │ = border
//!   ──────────────┼───────────────────────────────────────────────────┼────────►
//!      look ─────►│◄──── margin ────► close: read, flush, collect,
//!      (sometimes)                    set the next border
//! ```
//!
//! A border lies at the time at which an update of the main meter is expected,
//! and is set long before. eprof wakes up after it, when the update has
//! certainly come: the value then read is that of the border, give or take
//! what the update was early or late. Only from time to time does it also wake
//! up just *at* an expected update and looks whether it has come: that keeps
//! the clock right (see [`crate::source::update_clock::clock`]).
//!
//! Without a clock, borders come at regular times.

use crate::source::UpdateClocks;
use crate::source::update_clock::clock::Lock;
use crate::unit::{Nanos, Timestamp};

/// Longest time between two looks at the kernel's rings: at 997 Hz and 1 KiB a
/// sample, 8 MiB are full after 80 ms on 100 CPUs.
const DRAIN: Nanos = Nanos(50_000_000);
/// A border is set at least so long before.
const NOTICE: Nanos = Nanos(50_000);
/// A clock that would have to be looked at before the border, but by no more
/// than this, is looked at there: this saves a wake-up.
const PATIENCE: Nanos = Nanos(50_000_000);
/// A clock is not looked at more often than this.
const SHORTEST_REST: Nanos = Nanos(2_000_000);
/// Waking up late by more than this is no habit.
const UNUSUAL: f64 = 300_000.0;

/// What to do when woken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Read the meters, only to see whether an update has come.
    Look,
    /// Close the interval.
    Border,
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
    border: Timestamp,
    drain: Timestamp,
    /// Further readings, in order of time.
    looks: Vec<Timestamp>,
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
            border: begin + interval,
            drain: begin + DRAIN,
            looks: Vec::new(),
            lead: 0.0,
        }
    }

    /// The same with intervals from `begin` on.
    pub fn anew(&self, begin: Timestamp) -> Self {
        Self::new(self.interval, begin)
    }

    /// Plans the interval that has begun; gives the border at its end, to be
    /// set now. `None` where it cannot be set in advance.
    pub fn plan(&mut self, edges: &UpdateClocks, now: Timestamp) -> Option<Timestamp> {
        let passed = now.since(self.wanted).0 / self.interval.0;
        self.wanted = self.wanted + Nanos(self.interval.0.saturating_mul(passed + 1));
        // Hardly begun: the end of the next one is meant.
        if self.wanted.since(now).0 < self.interval.0 / 4 {
            self.wanted = self.wanted + self.interval;
        }
        self.drain = now + DRAIN;
        let Some((edge, main)) = edges.boundary(self.wanted, now + NOTICE).zip(edges.main()) else {
            self.looks.clear();
            self.border = self.wanted;
            return None;
        };
        self.border = edge.at + main.margin(&edge);
        self.watch(edges, now);
        Some(edge.at)
    }

    /// Plans the next looks at the clocks before the border.
    pub fn watch(&mut self, edges: &UpdateClocks, now: Timestamp) {
        self.looks.clear();
        let due = |lock: &Lock| now + lock.stale().since(now).max(SHORTEST_REST);
        if let Some(main) = edges.main() {
            let (stale, edge) = (due(main), main.nearest(self.border));
            // At the border itself, after which eprof reads anyway, unless
            // that is too far off.
            if stale + PATIENCE < edge.at {
                self.observe(main, stale, now);
            } else if stale < edge.at + Nanos(self.interval.0 / 2) {
                self.look_at(edge.at, now);
            }
        }
        for other in edges.others() {
            let stale = due(other);
            if stale < self.border + Nanos(self.interval.0 / 2) {
                self.observe(other, stale.min(self.border), now);
            }
        }
        self.looks.retain(|at| *at < self.border);
        self.looks.sort();
    }

    /// Two readings, at an update of `lock` near `at` and after it.
    fn observe(&mut self, lock: &Lock, at: Timestamp, now: Timestamp) {
        let edge = lock.next(at);
        self.look_at(edge.at, now);
        self.looks.push(edge.at + lock.margin(&edge));
    }

    /// One reading at `at`, as exactly as this machine wakes up.
    fn look_at(&mut self, at: Timestamp, now: Timestamp) {
        let alarm = Timestamp(at.0.saturating_sub(self.lead as u64));
        if alarm > now {
            self.looks.push(alarm);
        }
    }

    /// Empties the rings at `at`, if that would not happen before.
    pub fn hasten(&mut self, at: Timestamp) {
        self.drain = self.drain.min(at);
    }

    /// When to wake up.
    pub fn next(&self) -> Timestamp {
        let look = self.looks.first().copied();
        self.border.min(self.drain).min(look.unwrap_or(self.border))
    }

    /// What is due at `now`.
    pub fn due(&mut self, now: Timestamp) -> Option<Due> {
        if self.border <= now {
            return Some(Due::Border);
        }
        let due = self.looks.iter().filter(|look| **look <= now).count();
        if due > 0 {
            self.looks.drain(..due);
            return Some(Due::Look);
        }
        (self.drain <= now).then(|| {
            self.drain = now + DRAIN;
            Due::Drain
        })
    }

    /// A look that was due at `alarm` was taken at `read`, and `edges` have
    /// learnt from it.
    pub fn looked(&mut self, alarm: Timestamp, read: Timestamp, edges: &UpdateClocks) {
        let late = read.since(alarm).0 as f64;
        if late < UNUSUAL {
            self.lead += (late - self.lead) / 16.0;
        }
        if self.looks.is_empty() {
            self.watch(edges, read);
        }
    }
}
