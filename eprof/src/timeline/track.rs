//! One meter's way through the recording.

use crate::caveat::Caveat;
use crate::recording::{Header, IntervalRecord};
use crate::source::{Meter, MeterId, Quantity, Reading};
use crate::unit::{Microjoules, Nanos, Timestamp};

use super::counter::{Refusal, Ruler, Step, middle};
use super::health::Health;
use super::model::Model;
use super::stretch::{Coverage, Stretch, busy};
use super::{Border, Interval};

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
    latch: Nanos,
    means: Means,
    coverage: Coverage,
    health: Health,
    /// The reading that the next difference is taken from.
    anchor: Option<Reading>,
    /// When the value was last seen.
    seen: Timestamp,
    /// Time and accounts since then.
    pending: Option<Stretch>,
    total_uj: u64,
    moved: bool,
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
            latch: meter.latch,
            means,
            coverage: Coverage::of(meter, header),
            health: Health::new(&meter.name, header.started),
            anchor: None,
            seen: Timestamp(0),
            pending: None,
            total_uj: 0,
            moved: false,
            step: 0,
        }
    }

    /// The next record; a stretch comes out when its energy is settled.
    pub(super) fn push(&mut self, record: &IntervalRecord) -> Option<Interval> {
        if record.end > record.begin || !record.cpus.is_empty() || !record.threads.is_empty() {
            match &mut self.pending {
                Some(stretch) => stretch.extend(record, &self.coverage),
                None => self.pending = Some(Stretch::new(record, &self.coverage)),
            }
        }
        if let Means::Model(model) = &mut self.means {
            let stretch = self.pending.take()?;
            let cpus = self.coverage.width(&stretch.cpus);
            let energy = model.push(stretch.length(), cpus, &stretch.cpus);
            return Some(self.close(stretch, energy, Border::default()));
        }
        let Some(now) = record.readings.iter().rfind(|of| of.meter == self.id) else {
            if self.anchor.is_some() {
                let length = record.end.since(record.begin);
                self.health.miss(record.end, length);
            }
            return None;
        };
        self.read(*now, record.end)
    }

    fn read(&mut self, now: Reading, border: Timestamp) -> Option<Interval> {
        self.step = gcd(self.step, now.raw);
        let seen = std::mem::replace(&mut self.seen, now.begin);
        let (Some(before), Means::Readings { ruler, total }) = (self.anchor, &mut self.means)
        else {
            self.anchor = Some(now);
            let stretch = self.pending.take()?;
            return Some(self.close(stretch, None, Border::default()));
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
            // The register was not updated since. Its next value will tell
            // the energy of this time too, so nothing is settled yet; and a
            // register that never moves never becomes zero joules.
            Step::Still => {
                if ruler.is_instantaneous() {
                    self.anchor = Some(now);
                }
                return None;
            }
            Step::Refused(why) => Err(why),
        };
        self.anchor = Some(now);
        let stretch = self.pending.take()?;
        match step {
            Ok(total_uj) => {
                let energy = total_uj - self.total_uj;
                self.total_uj = total_uj;
                if self.moved && self.asleep(&stretch) {
                    self.health.pause(stretch.end, stretch.length());
                }
                self.moved = true;
                let border = self.border(&ruler, &before, &now, border, energy, stretch.length());
                Some(self.close(stretch, Some(energy), border))
            }
            Err(why) => {
                self.health.refuse(why, stretch.end, stretch.length());
                Some(self.close(stretch, None, Border::default()))
            }
        }
    }

    /// What is left when the recording ends, and what has to be said.
    pub(super) fn finish(mut self) -> (Option<Interval>, Vec<Caveat>) {
        let mut caveats: Vec<_> = self.health.caveats().collect();
        if matches!(self.means, Means::None) {
            caveats.push(self.health.senseless());
        }
        let Some(stretch) = self.pending.take() else {
            return (None, caveats);
        };
        if let Means::Readings { .. } = self.means {
            let lost = stretch.length();
            let settled = lost.0 <= self.latch.0.saturating_mul(2);
            if self.anchor.is_none() {
                caveats.push(self.health.unread());
            } else if self.moved && settled {
                // Shorter than two updates: the energy is on the other side
                // of the last border, within that border's deviation.
                return (
                    Some(self.close(stretch, Some(0), Border::default())),
                    caveats,
                );
            } else if !self.moved || self.asleep(&stretch) {
                let working = busy(&stretch.cpus) > Nanos::ZERO;
                let silent = self.health.silent(self.moved, working, lost, self.latch);
                caveats.push(silent);
            }
        }
        (Some(self.close(stretch, None, Border::default())), caveats)
    }

    /// Whether a meter that still works would have moved in `stretch`.
    fn asleep(&self, stretch: &Stretch) -> bool {
        let long = self.latch.0.max(1_000_000).saturating_mul(10);
        stretch.length().0 > long && busy(&stretch.cpus).0 > long
    }

    fn close(&self, mut stretch: Stretch, energy: Option<u64>, border: Border) -> Interval {
        stretch.merge();
        Interval {
            meter: self.id,
            begin: stretch.begin,
            end: stretch.end,
            energy: energy.map(Microjoules),
            border,
            cpus: stretch.cpus,
            threads: stretch.threads,
            samples: stretch.samples,
        }
    }

    /// What is booked on the wrong side of the border at the end of a
    /// stretch. Three independent causes:
    ///
    /// * the register shows the state of its last update, which is uniformly
    ///   between zero and one update period old: on average P × latch / 2 is
    ///   missing, with a deviation of P × latch / √12;
    /// * the value was taken somewhere between the stamps of the read, which
    ///   may lie beside the border itself;
    /// * the register counts in steps (or, for a power sensor, nothing is
    ///   known of the power between two readings but its ends).
    fn border(
        &self,
        ruler: &Ruler,
        before: &Reading,
        now: &Reading,
        at: Timestamp,
        energy: u64,
        length: Nanos,
    ) -> Border {
        let uniform = |width: f64| width / 12f64.sqrt();
        // Microjoules per nanosecond.
        let power = energy as f64 / length.0.max(1) as f64;
        let update = power * uniform(self.latch.0 as f64);
        let window = power * uniform(now.end.since(now.begin).0 as f64);
        let step = uniform(ruler.resolution_uj(before, now, self.step));
        let sd = (update.powi(2) + window.powi(2) + step.powi(2)).sqrt();
        let beside = at.0 as f64 - middle(now) as f64;
        let mean = power * (self.latch.0 as f64 / 2.0 + beside);
        // Not more than all of it can be on the wrong side.
        let all = energy as f64;
        Border {
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
