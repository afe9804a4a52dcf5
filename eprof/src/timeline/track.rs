//! One meter's way through the recording.

use crate::caveat::Caveat;
use crate::measurement::{Meter, MeterId, Quantity, Reading};
use crate::recording::{Header, IntervalRecord};
use crate::unit::{Microjoules, Nanos, Timestamp};

use super::counter::{Refusal, Ruler, Step, middle};
use super::dated::{Held, Point};
use super::health::Health;
use super::interval::{BoundaryError, Interval};
use super::model::Model;
use super::span::{Coverage, PendingSpan, busy};

/// How a meter's energy is found.
#[derive(Clone, Debug)]
enum Means {
    Readings {
        ruler: Ruler,
        total: u128,
    },
    Model(Model),
    /// Its description makes no sense.
    None,
}

/// The state of one meter between two records.
#[derive(Clone, Debug)]
pub(super) struct Track {
    id: MeterId,
    update_period: Nanos,
    means: Means,
    coverage: Coverage,
    health: Health,
    /// The last good reading, or the refused one from which it starts anew: the
    /// next difference is taken from it.
    last_good: Option<Reading>,
    /// When the value was last seen.
    seen: Timestamp,
    /// Time and accounts since then.
    pending: Option<PendingSpan>,
    /// Cumulative energy at that reading.
    point: Option<Point>,
    /// Power before it, and the running mean of the squares of its changes,
    /// (µJ/ns)².
    power: f64,
    swing: f64,
    /// The last span, where its energy waits for the next reading.
    held: Option<Held>,
    /// Microjoules up to the last good reading, since the first one.
    total_uj: u64,
    /// Those of the spans that have come out.
    passed_uj: u64,
    moved: bool,
    /// Whether it stood still at a reading since it moved last.
    still: bool,
    /// Greatest common divisor of all raw values: the register's real step.
    step: u64,
}

impl Track {
    /// A track for `meter` of the recording with `header`.
    pub(super) fn new(meter: &Meter, header: &Header) -> Self {
        let means = match meter.quantity {
            Quantity::Model { idle_w, busy_w, .. } => {
                Model::new(idle_w, busy_w).map_or(Means::None, Means::Model)
            }
            _ => Ruler::new(meter).map_or(Means::None, |ruler| Means::Readings { ruler, total: 0 }),
        };
        Self {
            id: meter.id,
            update_period: meter.update_period,
            means,
            coverage: Coverage::of(meter, header),
            health: Health::new(&meter.name, header.started),
            last_good: None,
            seen: Timestamp(0),
            pending: None,
            point: None,
            power: 0.0,
            swing: 0.0,
            held: None,
            total_uj: 0,
            passed_uj: 0,
            moved: false,
            still: false,
            step: 0,
        }
    }

    /// The next record; spans come out when their energy is known.
    pub(super) fn push(&mut self, record: &IntervalRecord) -> Vec<Interval> {
        if record.end > record.begin || !record.cpus.is_empty() || !record.threads.is_empty() {
            match &mut self.pending {
                Some(span) => span.extend(record, &self.coverage),
                None => self.pending = Some(PendingSpan::new(record, &self.coverage)),
            }
        }
        if let Means::Model(model) = &mut self.means {
            let Some(span) = self.pending.take() else {
                return Vec::new();
            };
            let cpus = self.coverage.width(&span.cpus);
            let energy = model.push(span.length(), cpus, &span.cpus);
            return vec![self.close(span, energy, BoundaryError::default())];
        }
        let Some(now) = record.readings.iter().rfind(|of| of.meter == self.id) else {
            if self.last_good.is_some() {
                let length = record.end.since(record.begin);
                self.health.miss(record.end, length);
            }
            return Vec::new();
        };
        self.read(*now, record)
    }

    fn read(&mut self, now: Reading, record: &IntervalRecord) -> Vec<Interval> {
        self.step = gcd(self.step, now.raw);
        let seen = std::mem::replace(&mut self.seen, now.begin);
        let (Some(before), Means::Readings { ruler, total }) = (self.last_good, &mut self.means)
        else {
            self.last_good = Some(now);
            self.point = Some(Point::new(&now, record, self.update_period, self.total_uj));
            let span = self.pending.take();
            return span
                .map(|span| self.close(span, None, BoundaryError::default()))
                .into_iter()
                .collect();
        };
        let ruler = *ruler;
        let step = match ruler.step(&before, seen, &now) {
            Step::Moved(delta) => {
                let sum = total.checked_add(delta);
                match sum.and_then(|sum| Some((sum, ruler.scale.floor(sum)?))) {
                    Some((sum, total_uj)) => {
                        *total = sum;
                        Ok(total_uj)
                    }
                    None => Err(Refusal::Implausible),
                }
            }
            // The register was not updated since. Its next value will
            // hold the energy of this time, too, so no span ends yet; and a
            // register that never moves never becomes zero joules.
            Step::Still => {
                self.still = true;
                if ruler.is_instantaneous() {
                    self.last_good = Some(now);
                }
                return Vec::new();
            }
            Step::Refused(why) => Err(why),
        };
        self.last_good = Some(now);
        self.total_uj = step.unwrap_or(self.total_uj);
        let point = Point::new(&now, record, self.update_period, self.total_uj);
        let before_point = self.point.replace(point);
        let power = before_point.and_then(|before| point.power_since(&before));
        let next = step.is_ok().then_some(point).zip(power);
        let mut spans: Vec<_> = self.complete_held(next).into_iter().collect();
        let Some(span) = self.pending.take() else {
            return spans;
        };
        if let Err(why) = step {
            self.health.refuse(why, span.end, span.length());
            spans.push(self.close(span, None, BoundaryError::default()));
            return spans;
        }
        let still = std::mem::take(&mut self.still);
        if self.moved && still && self.asleep(&span) {
            self.health.pause(span.end, span.length());
        }
        self.moved = true;
        if let Some(power) = power
            && point.sd.is_some()
            && !ruler.is_instantaneous()
        {
            if self.power > 0.0 {
                self.swing += ((power - self.power).powi(2) - self.swing) / 16.0;
            }
            self.power = power;
            self.held = Some(Held {
                interval: self.close(span, None, BoundaryError::default()),
                point,
                power,
                swing: self.swing.sqrt(),
                step_uj: ruler.resolution_uj(&before, &now, self.step),
            });
            return spans;
        }
        let energy = self.total_uj - self.passed_uj;
        self.passed_uj = self.total_uj;
        let length = span.length();
        let boundary = self.boundary_error(&ruler, &before, &now, record.end, energy, length);
        spans.push(self.close(span, Some(energy), boundary));
        spans
    }

    /// Completes the span that waited for the reading after it, `next`, with
    /// the power until then.
    fn complete_held(&mut self, next: Option<(Point, f64)>) -> Option<Interval> {
        let mut held = self.held.take()?;
        let next = next.as_ref().map(|(point, power)| (point, *power));
        let (total_uj, boundary) = held.energy_at_end(self.passed_uj, next);
        held.interval.energy = Some(Microjoules(total_uj - self.passed_uj));
        held.interval.boundary = boundary;
        self.passed_uj = total_uj;
        Some(held.interval)
    }

    /// What is left when the recording ends, and the caveats.
    pub(super) fn finish(mut self) -> (Vec<Interval>, Vec<Caveat>) {
        let mut caveats: Vec<_> = self.health.caveats().collect();
        if matches!(self.means, Means::None) {
            caveats.push(self.health.senseless());
        }
        let mut left: Vec<_> = self.complete_held(None).into_iter().collect();
        let Some(span) = self.pending.take() else {
            return (left, caveats);
        };
        let mut energy = None;
        if let Means::Readings { .. } = self.means {
            let lost = span.length();
            let short = lost.0 <= self.update_period.0.saturating_mul(2);
            if self.last_good.is_none() {
                caveats.push(self.health.unread());
            } else if self.moved && short {
                // Shorter than two updates: the energy is on the other side
                // of the last boundary, within that boundary's deviation.
                energy = Some(0);
            } else if !self.moved || self.asleep(&span) {
                let working = busy(&span.cpus) > Nanos::ZERO;
                let silent = self
                    .health
                    .silent(self.moved, working, lost, self.update_period);
                caveats.push(silent);
            }
        }
        left.push(self.close(span, energy, BoundaryError::default()));
        (left, caveats)
    }

    /// Whether a meter that still works would have moved in `span`.
    fn asleep(&self, span: &PendingSpan) -> bool {
        let long = self.update_period.0.max(1_000_000).saturating_mul(10);
        span.length().0 > long && busy(&span.cpus).0 > long
    }

    fn close(
        &self,
        mut span: PendingSpan,
        energy: Option<u64>,
        boundary: BoundaryError,
    ) -> Interval {
        span.merge();
        Interval {
            meter: self.id,
            begin: span.begin,
            end: span.end,
            energy: energy.map(Microjoules),
            boundary,
            cpus: span.cpus,
            threads: span.threads,
            samples: span.samples,
        }
    }

    /// What is booked on the wrong side of the boundary at the end of a
    /// span, where the update is not dated. Three independent causes:
    ///
    /// * the register shows the state of its last update, which is uniformly
    ///   between zero and one update period old: on average P × T / 2 is
    ///   missing, with a deviation of P × T / √12 (T: the update period);
    /// * the value was taken somewhere between the stamps of the read, which
    ///   may lie beside the boundary itself;
    /// * the register counts in steps (or, for a power sensor, nothing is
    ///   known of the power between two readings but its ends).
    fn boundary_error(
        &self,
        ruler: &Ruler,
        before: &Reading,
        now: &Reading,
        at: Timestamp,
        energy: u64,
        length: Nanos,
    ) -> BoundaryError {
        let uniform = |width: f64| width / 12f64.sqrt();
        // Microjoules per nanosecond.
        let power = energy as f64 / length.0.max(1) as f64;
        let update = power * uniform(self.update_period.0 as f64);
        let window = power * uniform(now.end.since(now.begin).0 as f64);
        let step = uniform(ruler.resolution_uj(before, now, self.step));
        let sd = (update.powi(2) + window.powi(2) + step.powi(2)).sqrt();
        let beside = at.0 as f64 - middle(now) as f64;
        let mean = power * (self.update_period.0 as f64 / 2.0 + beside);
        // Not more than all of it can be on the wrong side.
        let all = energy as f64;
        BoundaryError {
            mean: mean.clamp(-all, all),
            sd: sd.min(all),
        }
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
