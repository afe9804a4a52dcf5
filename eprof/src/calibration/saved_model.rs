//! A power model as it is saved: by names, for people and programs.

use serde::{Deserialize, Serialize};

use crate::measurement::MeterId;
use crate::power::{Errors, PowerModel, Shape, Signal, Term};

/// A power model in a calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedModel {
    /// The terms; their sum and the intercept are the power.
    pub terms: Vec<SavedTerm>,
    /// Watts without any signal, as the fit has it; the measured idle power
    /// lies beside it.
    pub intercept: f64,
    /// Covariance of the weights, row by row.
    pub covariance: Vec<f64>,
    /// Standard deviation of the relative error on what was held out.
    pub residual: f64,
    /// Errors on what was held out.
    pub held_out: Errors,
    /// The same of a model that knows CPU time only.
    pub time_share: Errors,
    /// What was held out in turn: `workload` or `block`.
    pub held_out_by: String,
    /// How many rows it was fitted to.
    pub rows: u64,
    /// What is said of a busy CPU where there are no counters; `None` for a
    /// model that knows no CPU time.
    #[serde(default)]
    pub busy_cpu: Option<BusyCpu>,
}

/// The power of a busy CPU, all kinds of work together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BusyCpu {
    /// Watts above idle.
    pub watts: f64,
    /// Relative standard deviation of power predicted by CPU time alone.
    pub residual: f64,
}

/// A term of a saved model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedTerm {
    /// The signal's name, as [`Signal`] is displayed.
    pub signal: String,
    /// In which way.
    #[serde(default)]
    pub shape: Shape,
    /// Joules per unit of the signal (time: nanoseconds).
    pub weight: f64,
}

impl SavedModel {
    /// The model of `meter`; `None` where it names a signal that this version
    /// does not know.
    pub fn of(&self, meter: MeterId) -> Option<PowerModel> {
        let terms = self.terms.iter().map(|term| {
            Some(Term {
                signal: term.signal.parse::<Signal>().ok()?,
                shape: term.shape,
                weight: term.weight,
            })
        });
        Some(PowerModel {
            meter,
            terms: terms.collect::<Option<_>>()?,
            covariance: self.covariance.clone(),
            residual: self.residual,
            origin: "calibration".into(),
        })
    }

    /// Whether its numbers can be what they say.
    pub(super) fn is_sane(&self) -> bool {
        let terms = self.terms.len();
        let known = |value: f64| value.is_finite() && (0.0..=1e6).contains(&value);
        let ends = |shape: Shape| match shape {
            Shape::Linear => true,
            Shape::Ramp { from, to } => {
                from >= 0.0 && from.is_finite() && to.is_none_or(|to| to > from && to.is_finite())
            }
        };
        (1..=64).contains(&terms)
            && self.covariance.len() == terms * terms
            && self.covariance.iter().all(|value| value.is_finite())
            && known(self.intercept)
            && known(self.residual)
            && self
                .busy_cpu
                .is_none_or(|busy| known(busy.watts) && known(busy.residual))
            && self
                .terms
                .iter()
                .all(|term| known(term.weight) && ends(term.shape))
    }
}
