//! The difference of two raw readings of one meter.

use crate::measurement::{Meter, Quantity, Reading};
use crate::unit::{Nanos, Timestamp, Watts};

use super::scale::Scale;

/// Where the highest plausible power of a meter is unknown, no more than this
/// is believed (100 kW is more than a rack).
const GUARD_W: f64 = 1e5;

/// Added to what is plausible in any time: one step of the coarsest register
/// known, psys of Sapphire Rapids, which counts whole joules (Linux,
/// `arch/x86/events/rapl.c`, quirk `RAPL_UNIT_QUIRK_INTEL_SPR`).
const STEP_UJ: f64 = 1e6;

/// Why a difference is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// The value went the wrong way, and no wrap explains it.
    Backwards,
    /// The power would be physically impossible.
    Implausible,
    /// So much time has passed that the register may have wrapped once more.
    Ambiguous,
}

/// What two readings mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The value did not change.
    Still,
    /// It moved by so many units of [`Ruler::scale`].
    Moved(u128),
    /// It is not believed; nothing is known about the time between.
    Refused(Refusal),
}

/// How one meter's readings are compared, and what a unit of the difference is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ruler {
    quantity: Quantity,
    /// Microjoules per unit of [`Step::Moved`].
    pub(super) scale: Scale,
    unit_uj: f64,
    plausible_w: f64,
    update_period: Nanos,
}

impl Ruler {
    /// The ruler of `meter`; `None` for a unit that is no unit, and for
    /// models, which have no readings.
    pub(super) fn new(meter: &Meter) -> Option<Self> {
        let unit_uj = match meter.quantity {
            Quantity::Counter { unit_uj, .. } | Quantity::Falling { unit_uj } => unit_uj,
            // Differences are in count × 2 ns (see `trapezoid`); W × ns = nJ.
            Quantity::Power { unit_w } => unit_w / 2e3,
            Quantity::Model { .. } => return None,
        };
        let watts = meter.plausible.0;
        Some(Self {
            quantity: meter.quantity,
            scale: Scale::new(unit_uj)?,
            unit_uj,
            plausible_w: if watts.is_finite() && watts > 0.0 {
                watts
            } else {
                GUARD_W
            },
            update_period: meter.update_period,
        })
    }

    /// What `now` means, seen from the reading `before`, which was the last that
    /// moved. The value was still the same at `seen`, the latest reading.
    pub(super) fn step(&self, before: &Reading, seen: Timestamp, now: &Reading) -> Step {
        match self.quantity {
            Quantity::Counter { modulus, .. } => self.rising(before, seen, now, modulus),
            Quantity::Falling { .. } => match before.raw.checked_sub(now.raw) {
                Some(used) => self.believed(used.into(), before, now),
                None => Step::Refused(Refusal::Backwards),
            },
            Quantity::Power { .. } => self.trapezoid(before, now),
            Quantity::Model { .. } => Step::Still,
        }
    }

    /// Whether a reading holds for its own instant only, so that the next
    /// difference starts from it even where it brought nothing.
    pub(super) fn is_instantaneous(&self) -> bool {
        matches!(self.quantity, Quantity::Power { .. })
    }

    /// Mean power between two readings that follow each other; `None` where
    /// nothing is known about the time between.
    pub(super) fn mean_power(&self, before: &Reading, now: &Reading) -> Option<Watts> {
        let units = match self.step(before, before.begin, now) {
            Step::Still => 0,
            Step::Moved(delta) => delta,
            Step::Refused(_) => return None,
        };
        let time = match (self.quantity, before.updated, now.updated) {
            (Quantity::Power { .. }, ..) => between_middles(before, now),
            // From update to update of the register, where those are known.
            (_, Some(before), Some(now)) => now.at.since(before.at).0,
            _ => now.end.since(before.end).0,
        };
        let watts = units as f64 * self.unit_uj * 1e3 / time as f64;
        (time > 0 && watts <= self.plausible_w).then_some(Watts(watts))
    }

    /// Width, in microjoules, of what the two readings leave open: one step
    /// of the register, known to be `step` counts; or, for a power sensor,
    /// what the power may have done between two readings.
    pub(super) fn resolution_uj(&self, before: &Reading, now: &Reading, step: u64) -> f64 {
        match self.quantity {
            Quantity::Power { .. } => {
                let time = between_middles(before, now);
                before.raw.abs_diff(now.raw) as f64 * time as f64 * self.unit_uj
            }
            _ => step as f64 * self.unit_uj,
        }
    }

    fn rising(
        &self,
        before: &Reading,
        seen: Timestamp,
        now: &Reading,
        modulus: Option<u64>,
    ) -> Step {
        let modulus = modulus.filter(|&modulus| modulus > 0);
        let delta = match (now.raw.checked_sub(before.raw), modulus) {
            (Some(delta), _) => u128::from(delta),
            (None, Some(modulus)) if before.raw < modulus => {
                let delta = u128::from(modulus - before.raw) + u128::from(now.raw);
                if !self.plausible(delta, before.begin, now) {
                    return Step::Refused(Refusal::Backwards);
                }
                delta
            }
            (None, _) => return Step::Refused(Refusal::Backwards),
        };
        // Between two readings a register may wrap once at most; where twice
        // would be as plausible, the energy is unknown.
        match modulus {
            Some(modulus)
                if self.plausible(delta, before.begin, now)
                    && self.plausible(delta + u128::from(modulus), seen, now) =>
            {
                Step::Refused(Refusal::Ambiguous)
            }
            _ => self.believed(delta, before, now),
        }
    }

    /// The integral of the power between two readings, as (raw + raw) × ns,
    /// that is in units of count × 2 ns.
    fn trapezoid(&self, before: &Reading, now: &Reading) -> Step {
        let guard = self.plausible_w * 1e3;
        // unit_uj is µJ per 2 count·ns; times 2e6 it is milliwatts per count.
        let believable = |reading: &Reading| reading.raw as f64 * self.unit_uj * 2e6 <= guard;
        if !believable(before) || !believable(now) {
            return Step::Refused(Refusal::Implausible);
        }
        let heights = u128::from(before.raw) + u128::from(now.raw);
        let time = between_middles(before, now);
        match heights * u128::from(time) {
            0 => Step::Still,
            area => Step::Moved(area),
        }
    }

    fn believed(&self, delta: u128, before: &Reading, now: &Reading) -> Step {
        if delta == 0 {
            Step::Still
        } else if self.plausible(delta, before.begin, now) {
            Step::Moved(delta)
        } else {
            Step::Refused(Refusal::Implausible)
        }
    }

    /// Whether the mean power stays below the guard. A difference may hold
    /// the energy of one update period more than the time between the reads.
    fn plausible(&self, delta: u128, since: Timestamp, now: &Reading) -> bool {
        let time = now.end.since(since).0 as f64 + self.update_period.0 as f64;
        delta as f64 * self.unit_uj <= self.plausible_w * time / 1e3 + STEP_UJ
    }
}

/// Nanoseconds from the middle of one read to that of another.
fn between_middles(before: &Reading, now: &Reading) -> u64 {
    middle(now).saturating_sub(middle(before))
}

/// The middle of the read, nanoseconds on the clock.
pub(super) fn middle(reading: &Reading) -> u64 {
    reading.begin.0 + reading.end.since(reading.begin).0 / 2
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use super::*;
    use crate::measurement::{Domain, MeterId, Provenance, Scope, SourceKind};
    use proptest::prelude::*;

    const MILLISECOND: u64 = 1_000_000;

    fn ruler(quantity: Quantity) -> Ruler {
        Ruler::new(&Meter {
            id: MeterId(0),
            kind: SourceKind::Powercap,
            name: "intel-rapl:0".to_owned(),
            domain: Domain::Package,
            scope: Scope::Machine,
            cpus: vec![0],
            quantity,
            provenance: Provenance::Measured,
            nested: false,
            update_period: Nanos(MILLISECOND),
            plausible: Watts(1000.0),
        })
        .unwrap()
    }

    fn at(milliseconds: u64, raw: u64) -> Reading {
        Reading {
            updated: None,
            meter: MeterId(0),
            raw,
            begin: Timestamp(milliseconds * MILLISECOND),
            end: Timestamp(milliseconds * MILLISECOND),
        }
    }

    fn powercap() -> Ruler {
        ruler(Quantity::Counter {
            unit_uj: 1.0,
            modulus: Some(262_143_328_850),
        })
    }

    #[test]
    fn a_register_wraps_at_its_modulus() {
        let step = powercap().step(&at(0, 262_143_328_000), Timestamp(0), &at(10, 150));
        assert_eq!(step, Step::Moved(1000));
    }

    #[test]
    fn a_small_step_back_is_no_wrap() {
        let step = powercap().step(&at(0, 5000), Timestamp(0), &at(10, 4000));
        assert_eq!(step, Step::Refused(Refusal::Backwards));
        let extended = ruler(Quantity::Counter {
            unit_uj: 1.0,
            modulus: None,
        });
        assert_eq!(
            extended.step(&at(0, u64::MAX), Timestamp(0), &at(10, 5)),
            Step::Refused(Refusal::Backwards)
        );
    }

    #[test]
    fn petajoules_are_refused() {
        let extended = ruler(Quantity::Counter {
            unit_uj: 1.0,
            modulus: None,
        });
        let step = extended.step(&at(0, 0), Timestamp(0), &at(10, u64::MAX));
        assert_eq!(step, Step::Refused(Refusal::Implausible));
    }

    #[test]
    fn after_a_long_silence_wraps_cannot_be_counted() {
        // 10 minutes at up to 1000 W is more than twice the register.
        let step = powercap().step(&at(0, 0), Timestamp(0), &at(600_000, 1_000_000));
        assert_eq!(step, Step::Refused(Refusal::Ambiguous));
    }

    #[test]
    fn a_silence_in_which_the_value_was_seen_is_no_ambiguity() {
        // An idle graphics domain: nothing for 10 minutes, seen all the time.
        let seen = Timestamp(599_990 * MILLISECOND);
        let step = powercap().step(&at(0, 7), seen, &at(600_000, 1_007));
        assert_eq!(step, Step::Moved(1000));
    }

    #[test]
    fn a_battery_falls_and_a_charging_one_is_refused() {
        let battery = ruler(Quantity::Falling { unit_uj: 3600.0 });
        assert_eq!(
            battery.step(&at(0, 900), Timestamp(0), &at(1000, 880)),
            Step::Moved(20)
        );
        assert_eq!(
            battery.step(&at(0, 880), Timestamp(0), &at(1000, 900)),
            Step::Refused(Refusal::Backwards)
        );
    }

    #[test]
    fn power_is_integrated_by_the_trapezoid_rule() {
        let sensor = ruler(Quantity::Power { unit_w: 1e-6 });
        let Step::Moved(area) =
            sensor.step(&at(0, 10_000_000), Timestamp(0), &at(1000, 30_000_000))
        else {
            unreachable!("a good reading was refused")
        };
        // Mean of 10 W and 30 W for one second; 1e-6 itself is rounded.
        assert!(sensor.scale.floor(area).unwrap().abs_diff(20_000_000) <= 1);
        assert_eq!(
            sensor.step(&at(0, 10_000_000), Timestamp(0), &at(10, 2_000_000_000)),
            Step::Refused(Refusal::Implausible)
        );
    }

    proptest! {
           /// Whatever the true consumption, a wrap changes nothing.
           #[test]
           fn wraps_are_transparent(
               start in 0u64..65_536_000_000, used in 1u64..10_000_000,
           ) {
               let modulus = 65_536_000_000;
               let wrapping = ruler(Quantity::Counter { unit_uj: 1.0, modulus: Some(modulus) });
               let step = wrapping.step(&at(0, start), Timestamp(0), &at(10, (start + used) % modulus));
               prop_assert_eq!(step, Step::Moved(used.into()));
           }

           #[test]
           fn no_pair_of_readings_panics_or_passes_the_guard(
               raw in any::<[u64; 2]>(), time in any::<[u64; 2]>(), modulus in any::<Option<u64>>(),
           ) {
               let any = ruler(Quantity::Counter { unit_uj: 1.0, modulus });
               let reading = |i: usize| Reading {
    updated: None,
                   meter: MeterId(0), raw: raw[i],
                   begin: Timestamp(time[i]), end: Timestamp(time[i]),
               };
               if let Step::Moved(delta) = any.step(&reading(0), reading(0).begin, &reading(1)) {
                   let seconds = time[1].saturating_sub(time[0]) as f64 / 1e9 + 1e-3;
                   prop_assert!(delta as f64 / 1e6 <= 1000.0 * seconds * 1.000_001 + 1.0);
               }
           }
       }
}
