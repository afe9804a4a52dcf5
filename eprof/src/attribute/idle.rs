//! The idle baseline of one meter.

use crate::measurement::{Baseline, Meter};
use crate::unit::{Microjoules, Nanos, Watts};

/// The power that a meter shows while nothing runs, and how much of its energy
/// was taken for that so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdleDraw {
    power: Watts,
    sd: Watts,
    update_period: Nanos,
    /// Baseline that was more than the energy of the last span, and is taken
    /// from the next one.
    owed: Microjoules,
    due: Microjoules,
    taken: Microjoules,
}

impl IdleDraw {
    /// That of a meter with the idle power `baseline`, if it is known.
    pub(super) fn of(meter: &Meter, baseline: Option<&Baseline>) -> Option<Self> {
        baseline.map(|baseline| Self::new(baseline, meter.update_period))
    }

    /// The idle power `baseline`, of a meter with this `update_period`.
    fn new(baseline: &Baseline, update_period: Nanos) -> Self {
        Self {
            power: baseline.power,
            sd: baseline.sd,
            update_period,
            owed: Microjoules::ZERO,
            due: Microjoules::ZERO,
            taken: Microjoules::ZERO,
        }
    }

    /// The part of `energy` that is baseline, for a span of `length`:
    /// P₀Δ, but never more than was used.
    ///
    /// The meter may have been read up to one update too early, so a span
    /// can show up to P₀ times the update period less than it used, and its
    /// neighbour more.
    /// That much is owed to the next span; without it, noise around an
    /// idle machine's power would look like work.
    pub(super) fn take(&mut self, energy: Microjoules, length: Nanos) -> Microjoules {
        let due = self.power.during(length);
        self.due += due;
        let asked = due + self.owed;
        let taken = asked.min(energy);
        let missing = Microjoules(asked.0 - taken.0);
        self.owed = missing.min(self.power.during(self.update_period));
        self.taken += taken;
        taken
    }

    /// All energy that was taken as baseline.
    pub(super) fn taken(&self) -> Microjoules {
        self.taken
    }

    /// The idle power.
    pub(super) fn power(&self) -> Watts {
        self.power
    }

    /// Its standard deviation in watts.
    pub(super) fn sd_w(&self) -> f64 {
        self.sd.0
    }

    /// Whether the meter showed less than idle power so often that the idle
    /// power cannot be right: more than a twentieth of it was never measured.
    pub(super) fn is_too_high(&self) -> bool {
        let missing = self.due.0.saturating_sub(self.taken.0);
        missing > self.owed.0 && missing > self.due.0 / 20
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::MeterId;

    const MS: u64 = 1_000_000;

    fn idle(watts: f64) -> IdleDraw {
        let baseline = Baseline {
            meter: MeterId(0),
            power: Watts(watts),
            sd: Watts(0.0),
            origin: "option".to_owned(),
        };
        IdleDraw::new(&baseline, Nanos(MS))
    }

    #[test]
    fn the_register_s_jitter_is_not_work() {
        // 10 W for 10 ms is 100 mJ; every second update comes 1 ms late.
        let mut idle = idle(10.0);
        let work: u64 = (0..1000)
            .map(|n| if n % 2 == 0 { 90_000 } else { 110_000 })
            .map(|energy| energy - idle.take(Microjoules(energy), Nanos(10 * MS)).0)
            .sum();
        assert_eq!(work, 0);
        assert!(!idle.is_too_high());
    }

    #[test]
    fn an_idle_power_that_is_too_high_eats_no_later_work() {
        let mut idle = idle(100.0);
        for _ in 0..100 {
            assert_eq!(
                idle.take(Microjoules(10_000), Nanos(10 * MS)),
                Microjoules(10_000)
            );
        }
        // 100 W × (10 ms + one update) at most.
        assert_eq!(
            idle.take(Microjoules(5_000_000), Nanos(10 * MS)),
            Microjoules(1_100_000)
        );
        assert!(idle.is_too_high());
    }
}
