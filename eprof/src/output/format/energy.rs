//! How the energies of a profile are written: known or not, measured or
//! estimated, above idle or not.

use crate::attribute::{Energy, MeterLedger};
use crate::measurement::Provenance;
use crate::profile::Profile;
use crate::unit::Microjoules;

use super::number::{Number, estimate, with_error};

/// What is known of a profile's energies, and so how they are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::output) struct EnergyText {
    /// Whether any meter that counts towards the total gave a usable reading.
    pub(in crate::output) known: bool,
    /// Whether the idle baseline of all those meters is known, so that
    /// "above idle" means something.
    pub(in crate::output) above_idle: bool,
    /// Whether the joules come from a model.
    pub(in crate::output) estimated: bool,
    /// For estimates: the factors between which the truth lies in 90 % of
    /// cases.
    pub(in crate::output) band: Option<(f64, f64)>,
}

/// Whether a meter gave a usable reading: not when its energy is unknown for
/// some time and the rest adds up to nothing.
pub(in crate::output) fn has_reading(meter: &MeterLedger) -> bool {
    meter.total.0 > 0 || meter.unknown.0 == 0
}

impl EnergyText {
    /// How the energies of a profile are written.
    pub(in crate::output) fn of(profile: &Profile) -> Self {
        let mut meters = profile.ledger.disjoint().filter(|meter| has_reading(meter));
        let known = profile.ledger.disjoint().any(has_reading);
        Self {
            known,
            above_idle: known && meters.all(|meter| meter.baseline.is_some()),
            estimated: profile.summary.provenance == Provenance::Estimated,
            band: profile.summary.band,
        }
    }

    /// The word for reports. Shares of measured energy are attributed, but the
    /// joules behind them are measured.
    pub(in crate::output) fn provenance(self) -> &'static str {
        if self.estimated {
            "estimated"
        } else {
            "measured"
        }
    }

    /// What the column is called that has errors.
    pub(in crate::output) fn error_title(self) -> &'static str {
        if self.estimated {
            "90 % range"
        } else {
            "±90 %"
        }
    }

    /// Energy with the share of the idle cost, in microjoules, if it is known.
    pub(in crate::output) fn with_idle(self, energy: Energy) -> Option<u64> {
        self.known.then_some(energy.with_idle.0)
    }

    /// Energy above idle, in microjoules, if it is known.
    pub(in crate::output) fn above_idle(self, energy: Energy) -> Option<u64> {
        self.above_idle.then_some(energy.above_idle.0)
    }

    /// Half of the 90 % interval around `energy`, which for an estimate is at
    /// least as wide as the model's band.
    pub(in crate::output) fn half(self, energy: Microjoules, ci90: Microjoules) -> u64 {
        match self.band {
            Some((low, high)) if self.estimated => {
                let wider = (1.0 - low).max(high - 1.0).max(0.0);
                ci90.0.max((energy.0 as f64 * wider).ceil() as u64)
            }
            _ => ci90.0,
        }
    }

    /// An energy as value, half width or range, and unit; `–` if unknown.
    pub(in crate::output) fn cells(self, uj: Option<u64>, ci90: Option<u64>) -> [String; 3] {
        let Some(uj) = uj else {
            return ["–".to_owned(), String::new(), String::new()];
        };
        let joules = uj as f64 / 1e6;
        if self.estimated {
            let (number, range) = estimate(joules, self.band, "J");
            return [number.value, range, number.unit];
        }
        let Number { value, half, unit } = with_error(joules, ci90.map(|uj| uj as f64 / 1e6), "J");
        let half = half.map_or_else(String::new, |half| format!("±{half}"));
        [value, half, unit]
    }

    /// An energy as value and unit, with the digits that `ci90` justifies.
    pub(in crate::output) fn short(self, uj: Option<u64>, ci90: Option<u64>) -> String {
        let [value, _, unit] = self.cells(uj, ci90);
        if unit.is_empty() {
            value
        } else {
            format!("{value} {unit}")
        }
    }

    /// An energy in running text, with its error or range.
    pub(in crate::output) fn long(self, uj: Option<u64>, ci90: Option<u64>) -> String {
        let Some(uj) = uj else {
            return "unknown".to_owned();
        };
        let joules = uj as f64 / 1e6;
        if self.estimated {
            let (number, range) = estimate(joules, self.band, "J");
            if range.is_empty() {
                number.text()
            } else {
                format!("{} ({range} {})", number.text(), number.unit)
            }
        } else {
            with_error(joules, ci90.map(|uj| uj as f64 / 1e6), "J").text()
        }
    }

    /// Mean power of `uj` over `nanos`; `–` if either is unknown or no time.
    pub(in crate::output) fn watts(
        self,
        uj: Option<u64>,
        ci90: Option<u64>,
        nanos: Option<u64>,
    ) -> String {
        let (Some(uj), Some(nanos)) = (uj, nanos.filter(|nanos| *nanos > 0)) else {
            return "–".to_owned();
        };
        // µJ / ns = kW
        let watts = uj as f64 / nanos as f64 * 1e3;
        if self.estimated {
            return estimate(watts, None, "W").0.text();
        }
        // No more digits than the energy has, and never more than three (an
        // error above 3 % leaves no more than that).
        let half = ci90
            .filter(|half| *half > 0)
            .map(|half| half as f64 / nanos as f64 * 1e3)
            .filter(|half| *half > watts * 0.03);
        let mut power = with_error(watts, half, "W");
        power.half = None;
        power.text()
    }
}
