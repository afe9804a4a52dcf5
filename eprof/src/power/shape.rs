//! How power depends on the rate of a signal.

use serde::{Deserialize, Serialize};

/// A function of a signal's rate (per second) that starts at zero and never
/// falls.
///
/// A sum of ramps with weights that are not negative is any rising function
/// made of straight pieces: power that saturates as memory bandwidth runs
/// out, or that jumps as a package wakes up. Unlike powers and roots of the
/// rate, a ramp keeps its weight in joules per unit of the signal, and goes on
/// straight beyond the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// The rate itself.
    #[default]
    Linear,
    /// The part of the rate between two values.
    Ramp {
        /// Nothing below this rate.
        from: f64,
        /// Nothing more above this rate; `None` for no end.
        to: Option<f64>,
    },
}

impl Shape {
    /// The shaped rate, in units of the signal per second.
    pub fn of(self, rate: f64) -> f64 {
        match self {
            Self::Linear => rate,
            Self::Ramp { from, to } => {
                let above = (rate - from).max(0.0);
                to.map_or(above, |to| above.min(to - from))
            }
        }
    }

    /// Ramps that follow each other from zero, each with about as many of
    /// `rates` as the others. They add up to the rate. Fewer than `pieces`
    /// where many of the rates are alike; [`Shape::Linear`] for one piece.
    pub fn ramps(rates: &[f64], pieces: usize) -> Vec<Self> {
        let mut sorted: Vec<f64> = rates.iter().copied().filter(|rate| *rate > 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else {
            return vec![Self::Linear];
        };
        let range = sorted[last];
        let mut knots: Vec<f64> = Vec::new();
        for piece in 1..pieces {
            let knot = sorted[last * piece / pieces];
            // No ramp is so short that its slope means nothing.
            let clear = knot - knots.last().copied().unwrap_or(0.0) > 1e-3 * range;
            if clear && range - knot > 1e-3 * range {
                knots.push(knot);
            }
        }
        if knots.is_empty() {
            return vec![Self::Linear];
        }
        let begins = std::iter::once(0.0).chain(knots.iter().copied());
        let ends = knots.iter().copied().map(Some).chain([None]);
        begins
            .zip(ends)
            .map(|(from, to)| Self::Ramp { from, to })
            .collect()
    }
}
