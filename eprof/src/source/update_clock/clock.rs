//! When a register is updated: a phase-locked loop.
//!
//! RAPL's registers are written by the hardware about every millisecond: by a
//! stable clock, but each update comes with a jitter of its own. In 148,408
//! updates of a two-socket server (the update-rate traces of jRAPL,
//! aservet1/jRAPL) the period is 1003.1 µs, its standard deviation 47 µs and
//! its lag-1 autocorrelation −0.50: a clock plus independent jitter of 34 µs.
//! So updates can be predicted, once the clock is known, and what a reading
//! covers is known without waiting for an update at each reading.
//!
//! The state is the time of one update and the period, with their covariance;
//! what is observed is that an update lies between two times, often only that
//! it came before or after one read. The update of the state is the Kalman
//! filter's for the mean and variance of the normal distribution truncated
//! there (assumed density filtering). One such bit, from a read at the time
//! that was predicted, is worth 2/π of an exact observation.

use super::line::Line;
use super::truncated::{Truncated, normal};
use crate::measurement::UpdateTime;
use crate::statistics::upper_median;
use crate::unit::{Nanos, Timestamp};

/// Periods that are believed: the registers in question have about 1 ms.
const PERIODS: std::ops::RangeInclusive<f64> = 2e5..=2.5e6;
/// Fewer updates say nothing about a period.
const FEWEST: usize = 8;
/// With more jitter than this, updates are not dated (the energy filter, a
/// register that is written by software), ns.
const LOOSEST: f64 = 150_000.0;
/// Jitter is not taken to be smaller: 20 updates do not show so much, ns.
const TIGHTEST: f64 = 5_000.0;
/// Random walk of the phase: deviation per period, ns. In the traces named
/// above, a span of 50 periods has a deviation of 48 µs and one of 500 82 µs.
const WANDER: f64 = 3_000.0;
/// Random walk of the period: deviation per period, ns. CLOCK_MONOTONIC is
/// slewed by up to 500 ppm, which is 0.5 µs per period.
const DRIFT: f64 = 5.0;
/// An observation that is less probable than this is not believed.
const SURPRISE: f64 = 0.003;
/// After so many of them in a row the lock is lost.
const SURPRISES: u32 = 4;
/// So many observations in a row on one side are no chance (1 in 32)…
const SUSPICIOUS: u32 = 6;
/// … and so many are not even a wrong period (1 in 8192).
const HOPELESS: u32 = 14;

/// What two consecutive reads say of one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Just before and just after the first read.
    pub first: (Timestamp, Timestamp),
    /// Just before and just after the second.
    pub second: (Timestamp, Timestamp),
    /// Whether the values differ.
    pub changed: bool,
}

/// A loop that is locked to the updates of a register.
#[derive(Clone, Debug)]
pub struct Lock {
    /// Times below count from here.
    origin: Timestamp,
    /// The last update that was observed: expected time (without its own
    /// jitter) and number.
    phase: f64,
    number: u64,
    period: f64,
    /// Covariance of phase and period.
    cov: Covariance,
    /// Variance of an update's own jitter.
    jitter: f64,
    /// Number of an update whose own time is known better than predicted.
    seen: Option<(u64, f64, f64)>,
    surprises: u32,
    /// How many observations in a row erred to the same side, and which.
    row: (u32, bool),
    lost: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Covariance {
    phase: f64,
    both: f64,
    period: f64,
}

impl Lock {
    /// Finds the clock in a series of reads that follow each other closely
    /// (several per period), as windows in order of time. `None` where there
    /// is no period, or too much jitter.
    pub fn acquire(windows: &[Window]) -> Option<Self> {
        let origin = windows.first()?.first.0;
        let mut updates: Vec<(f64, f64)> = windows
            .iter()
            .filter(|window| window.changed)
            .map(|window| bracket(origin, window))
            .map(|(from, to)| ((from + to) / 2.0, to - from))
            .collect();
        let widest = upper_median(&gaps(&updates))? / 2.0;
        updates.retain(|(_, width)| *width <= widest);
        let mut rough = upper_median(&gaps(&updates))?;
        // Twice: the second time without what lies far off the first line.
        let mut line = None;
        for _ in 0..2 {
            if updates.len() < FEWEST || !PERIODS.contains(&rough) {
                return None;
            }
            let fitted = Line::fit(&updates, rough)?;
            rough = fitted.slope;
            let far = 4.0 * fitted.deviation.max(TIGHTEST);
            updates.retain(|update| fitted.residual(update).abs() <= far);
            line = Some(fitted);
        }
        let line = line?;
        let width: f64 =
            updates.iter().map(|of| of.1.powi(2) / 12.0).sum::<f64>() / updates.len() as f64;
        let noise = line.deviation.powi(2);
        let jitter = (noise - width).max(TIGHTEST.powi(2));
        if jitter > LOOSEST.powi(2) {
            return None;
        }
        let noise = noise.max(jitter);
        // The covariance of a fitted line, at its last point.
        let count = line.count;
        let ahead = line.last - line.middle;
        Some(Self {
            origin,
            phase: line.at(line.last),
            number: 0,
            period: line.slope,
            cov: Covariance {
                phase: noise * (1.0 / count + ahead.powi(2) / line.spread),
                both: noise * ahead / line.spread,
                period: noise / line.spread,
            },
            jitter,
            seen: None,
            surprises: 0,
            row: (0, false),
            lost: false,
        })
    }

    /// Finds the phase again, in a series as for [`Self::acquire`] that covers
    /// at least one update; the period is still about right. `None` where
    /// nothing changed in it.
    pub fn resume(&self, windows: &[Window]) -> Option<Self> {
        let last = windows.iter().rfind(|window| window.changed)?;
        let (from, to) = bracket(self.origin, last);
        let mut lock = self.clone();
        lock.phase = (from + to) / 2.0;
        lock.cov = Covariance {
            phase: self.jitter + (to - from).powi(2) / 12.0,
            both: 0.0,
            period: self.cov.period.max((500e-6 * self.period).powi(2)),
        };
        lock.number += 1;
        lock.seen = None;
        lock.surprises = 0;
        lock.row = (0, false);
        lock.lost = false;
        Some(lock)
    }

    /// The time between two updates.
    pub fn period(&self) -> Nanos {
        Nanos(self.period.round() as u64)
    }

    /// Standard deviation of an update's own jitter.
    pub fn jitter(&self) -> Nanos {
        Nanos(self.jitter.sqrt().round() as u64)
    }

    /// Whether predictions proved to be wrong, so that they are of no use
    /// until [`Self::resume`].
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether so little is known of the updates around `at` that one may be
    /// mistaken for the next.
    pub fn is_vague(&self, at: Timestamp) -> bool {
        self.predict(self.steps(self.relative(at))).1.sqrt() > self.period / 5.0
    }

    /// Gives the lock up, until [`Self::resume`].
    pub fn lose(&mut self) {
        self.lost = true;
    }

    /// The update expected nearest to `at`.
    pub fn nearest(&self, at: Timestamp) -> UpdateTime {
        self.update(self.steps(self.relative(at)))
    }

    /// The first update expected after `at`.
    pub fn next(&self, at: Timestamp) -> UpdateTime {
        let steps = ((self.relative(at) - self.phase) / self.period).floor();
        self.update(steps as i64 + 1)
    }

    /// The last update contained in a value that was read between `begin` and
    /// `end`. Where it is doubtful whether an update had already come, the
    /// deviation says so.
    pub fn contained(&self, begin: Timestamp, end: Timestamp) -> UpdateTime {
        let at = (self.relative(begin) + self.relative(end)) / 2.0;
        let nearest = self.steps(at);
        let (mean, variance) = self.predict(nearest);
        // Part of the read's length adds to the doubt.
        let slack = variance + (self.relative(end) - self.relative(begin)).powi(2) / 12.0;
        let came = normal((at - mean) / slack.sqrt());
        let steps = if came >= 0.5 { nearest } else { nearest - 1 };
        let (mean, variance) = self.known(steps);
        let doubt = came * (1.0 - came) * self.period.powi(2);
        self.dated(mean, variance + doubt)
    }

    /// When a value read no longer depends on whether the update nearest to `at`
    /// came early or late; `None` where it does not depend on that at `at`.
    pub fn certain_from(&self, at: Timestamp) -> Option<Timestamp> {
        let at = self.relative(at);
        let (mean, variance) = self.predict(self.steps(at));
        let margin = 2.5 * variance.sqrt();
        ((at - mean).abs() < margin).then(|| self.absolute(mean + margin))
    }

    /// How long after an update's expected time it has certainly come (but for
    /// one in 700).
    pub fn margin(&self, update: &UpdateTime) -> Nanos {
        Nanos(update.sd.0.saturating_mul(3).min(self.period().0 / 2))
    }

    /// When the clock will be known so badly that an update should be observed.
    pub fn stale(&self) -> Timestamp {
        // As much as the jitter itself: an update's deviation is then 1.4 times
        // that, and an observation every 40 periods will do.
        let enough = (1.1 * self.jitter).max(15_000f64.powi(2));
        let mut steps = 1;
        while steps < 512 && self.phase_variance(steps) < enough {
            steps += 1 + steps / 8;
        }
        self.absolute(self.phase + self.period * steps as f64)
    }

    /// Takes in what two consecutive reads say.
    pub fn observe(&mut self, window: &Window) {
        let (from, to) = bracket(self.origin, window);
        if self.lost || !(0.0..=0.75 * self.period).contains(&(to - from)) {
            return;
        }
        let steps = self.steps((from + to) / 2.0);
        let (mean, variance) = self.predict(steps);
        let between = |from, to| Truncated::new(mean, variance.sqrt(), (from, to), SURPRISE);
        let seen = if window.changed {
            between(from, to)
        } else {
            // It was not between the end of one read and the begin of the next.
            let (from, to) = (
                self.relative(window.first.1),
                self.relative(window.second.0),
            );
            if from > to {
                return;
            }
            let before = between(f64::NEG_INFINITY, from);
            let after = between(to, f64::INFINITY);
            // Only where one of the two is out of the question; and an update
            // may be missing (a period twice as long, a domain that used less
            // than one unit), which is more probable than one far too early.
            let clear = |one: &Truncated, other: &Truncated| {
                one.weight > 0.02 && other.weight < 0.02 * one.weight
            };
            if clear(&before, &after) {
                before
            } else if clear(&after, &before) {
                after
            } else {
                return;
            }
        };
        if seen.weight < SURPRISE {
            self.surprises += 1;
            self.lost |= self.surprises >= SURPRISES;
            return;
        }
        self.surprises = 0;
        self.learn(steps, mean, variance, &seen);
    }

    /// The Kalman update by the moments of what was seen of an update.
    fn learn(&mut self, steps: i64, mean: f64, variance: f64, seen: &Truncated) {
        let number = self.number.saturating_add_signed(steps);
        self.seen = Some((number, seen.mean, seen.variance));
        if steps > 0 {
            self.advance(steps as f64);
            self.number = number;
        }
        // For an update before the one in hand, the gain is that of now: it
        // differs by no more than a few steps of the walk.
        let innovation = seen.mean - mean;
        let later = innovation > 0.0;
        self.row = match self.row {
            (times, side) if side == later => (times + 1, side),
            _ => (1, later),
        };
        self.lost |= self.row.0 >= HOPELESS;
        if self.row.0 >= SUSPICIOUS {
            self.cov.phase += self.jitter / 4.0;
            self.cov.period += (100e-6 * self.period).powi(2);
        }
        let gain = (self.cov.phase / variance, self.cov.both / variance);
        self.phase += gain.0 * innovation;
        self.period += gain.1 * innovation;
        // What was learnt, as a part of what an exact observation teaches.
        let part = (1.0 - seen.variance / variance).clamp(0.0, 1.0);
        let was = self.cov;
        self.cov.phase -= gain.0 * was.phase * part;
        self.cov.both -= gain.0 * was.both * part;
        self.cov.period -= gain.1 * was.both * part;
        if !PERIODS.contains(&self.period) {
            self.lost = true;
        }
    }

    fn advance(&mut self, steps: f64) {
        self.cov.phase = self.phase_variance(steps as u64);
        self.cov.both += steps * self.cov.period;
        self.cov.period += steps * DRIFT.powi(2);
        self.phase += steps * self.period;
    }

    fn phase_variance(&self, steps: u64) -> f64 {
        let steps = steps as f64;
        let Covariance {
            phase,
            both,
            period,
        } = self.cov;
        phase
            + 2.0 * steps * both
            + steps.powi(2) * period
            + steps * WANDER.powi(2)
            + steps.powi(3) * DRIFT.powi(2) / 3.0
    }

    /// How many updates lie between the one in hand and that nearest to `at`.
    fn steps(&self, at: f64) -> i64 {
        ((at - self.phase) / self.period).round() as i64
    }

    /// Mean and variance of the time of the update `steps` from the one in hand.
    fn predict(&self, steps: i64) -> (f64, f64) {
        let variance = if steps >= 0 {
            self.phase_variance(steps.unsigned_abs())
        } else {
            self.cov.phase + steps.unsigned_abs() as f64 * WANDER.powi(2)
        };
        (
            self.phase + steps as f64 * self.period,
            variance.max(0.0) + self.jitter,
        )
    }

    /// The same, by what was seen of that update itself where it was.
    fn known(&self, steps: i64) -> (f64, f64) {
        match self.seen {
            Some((number, mean, variance))
                if number == self.number.saturating_add_signed(steps) =>
            {
                (mean, variance)
            }
            _ => self.predict(steps),
        }
    }

    fn update(&self, steps: i64) -> UpdateTime {
        let (mean, variance) = self.predict(steps);
        self.dated(mean, variance)
    }

    fn dated(&self, mean: f64, variance: f64) -> UpdateTime {
        UpdateTime {
            at: self.absolute(mean),
            sd: Nanos(variance.sqrt().round() as u64),
        }
    }

    fn relative(&self, at: Timestamp) -> f64 {
        relative(self.origin, at)
    }

    fn absolute(&self, at: f64) -> Timestamp {
        if at < 0.0 {
            return Timestamp(self.origin.0.saturating_sub(-at as u64));
        }
        self.origin + Nanos(at.round() as u64)
    }
}

fn relative(origin: Timestamp, at: Timestamp) -> f64 {
    at.since(origin).0 as f64 - origin.since(at).0 as f64
}

/// The update of a window that changed lies between these.
fn bracket(origin: Timestamp, window: &Window) -> (f64, f64) {
    (
        relative(origin, window.first.0),
        relative(origin, window.second.1),
    )
}

fn gaps(updates: &[(f64, f64)]) -> Vec<f64> {
    updates
        .windows(2)
        .filter_map(|pair| Some(pair.last()?.0 - pair.first()?.0))
        .collect()
}
