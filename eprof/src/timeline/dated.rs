//! Energy at a boundary, from readings whose updates are dated.
//!
//! A dated reading gives the energy that was used up to the time of an update.
//! The boundary lies near it, but not there: the update came early or late, or
//! belongs to another clock than the one that boundaries are set by, or eprof
//! woke up after the next one. Between update and boundary, power is taken to
//! be the mean of the powers before and after that update. So nothing is
//! known before the next reading, which also bounds what is possible.

use crate::measurement::Reading;
use crate::recording::IntervalRecord;
use crate::unit::{Nanos, Timestamp};

use super::counter::middle;
use super::interval::{BoundaryError, Interval};

/// A register that is updated at least this often is dated by its reading,
/// where it is read late and its updates are not known.
const QUICK: Nanos = Nanos(5_000_000);

/// A reading is late that is taken so long after the boundary, in nanoseconds.
const LATE: u64 = 2_000_000;

/// Cumulative energy at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// When the register was updated; for a slow register without a date, the
    /// boundary at which it was read.
    pub(super) at: Timestamp,
    /// Standard deviation of `at`; `None` for a slow register without a date.
    pub(super) sd: Option<Nanos>,
    /// Microjoules since the first reading.
    pub(super) total_uj: u64,
}

impl Point {
    /// What `reading`, of the record `record`, means for a meter with the
    /// nominal time `update_period` between updates. A date that cannot be true
    /// is ignored.
    pub(super) fn new(
        reading: &Reading,
        record: &IntervalRecord,
        update_period: Nanos,
        total_uj: u64,
    ) -> Self {
        let age = |at: Timestamp| reading.end.since(at).0;
        let early = |at: Timestamp| at.since(reading.end);
        let possible = |at: Timestamp| {
            early(at) <= update_period && age(at) <= 4 * update_period.0.min(1 << 60)
        };
        match reading.updated.filter(|update| possible(update.at)) {
            Some(update) => Self {
                at: update.at,
                sd: Some(update.sd),
                total_uj,
            },
            // Read late: the value is that of an update somewhere in the time
            // between two of them before the read.
            None if update_period <= QUICK && middle(reading) > record.end.0 + LATE => {
                let uniform = |width: u64| (width as f64 / 12f64.sqrt()) as u64;
                let window = reading.end.since(reading.begin).0;
                Self {
                    at: Timestamp(middle(reading).saturating_sub(update_period.0 / 2)),
                    sd: Some(Nanos(uniform(update_period.0) + uniform(window))),
                    total_uj,
                }
            }
            None => Self {
                at: record.end,
                sd: None,
                total_uj,
            },
        }
    }

    /// Mean power since `earlier`, microjoules per nanosecond; `None` where
    /// the times make no sense.
    pub(super) fn power_since(&self, earlier: &Self) -> Option<f64> {
        let time = self.at.since(earlier.at).0;
        let energy = self.total_uj.checked_sub(earlier.total_uj)?;
        (time > 0).then(|| energy as f64 / time as f64)
    }
}

/// A span that has ended, whose energy waits for the next reading.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The span; energy and boundary are still to come.
    pub(super) interval: Interval,
    /// The reading at its end.
    pub(super) point: Point,
    /// Power before that reading.
    pub(super) power: f64,
    /// How much the power usually changes from one span to the next.
    pub(super) swing: f64,
    /// Width of the step in which the register counts, microjoules.
    pub(super) step_uj: f64,
}

impl Held {
    /// Energy, in microjoules since the first reading, at the end of the
    /// span, and how sure that is. `next` is the reading after it, and the
    /// power until then; without one, all that was read is taken to belong to
    /// the span, unless it was read late.
    pub(super) fn energy_at_end(
        &self,
        least_uj: u64,
        next: Option<(&Point, f64)>,
    ) -> (u64, BoundaryError) {
        let boundary = self.interval.end;
        let time = boundary.since(self.point.at).0 as f64 - self.point.at.since(boundary).0 as f64;
        let after = next.map_or(self.power, |(_, power)| power);
        let power = f64::midpoint(self.power, after);
        let (total, most) = match next {
            Some((next, _)) => {
                let total = self.point.total_uj as f64 + time * power;
                (total.round().max(0.0) as u64, next.total_uj)
            }
            // Read late, it holds what was used after the last boundary, which
            // belongs to no span.
            None if -time > LATE as f64 => {
                let total = self.point.total_uj as f64 + time * power;
                (total.round().max(0.0) as u64, self.point.total_uj)
            }
            None => (self.point.total_uj, self.point.total_uj),
        };
        let total = total.min(most).max(least_uj);
        let uniform = |width: f64| width / 12f64.sqrt();
        let date = power * self.point.sd.unwrap_or_default().0 as f64;
        // It may have been either of them, or as far off as it usually is.
        let swing = ((after - self.power).abs() / 2.0).max(self.swing);
        let change = swing * time;
        let step = uniform(self.step_uj);
        let sd = (date.powi(2) + change.powi(2) + step.powi(2)).sqrt();
        // Not more than all of it can be on the wrong side.
        let all = total.saturating_sub(least_uj) as f64;
        let boundary = BoundaryError {
            mean: 0.0,
            sd: sd.min(all),
        };
        (total, boundary)
    }
}
