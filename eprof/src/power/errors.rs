//! How far predictions are off.

use serde::{Deserialize, Serialize};

/// Errors of predictions for held-out rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Mean absolute error in watts.
    pub mae: f64,
    /// Root mean square error in watts.
    pub rmse: f64,
    /// Mean absolute error relative to the true power (1 = 100 %), over the
    /// rows whose power is positive.
    pub mape: f64,
    /// Coefficient of determination; 0 for predictions as good as the mean of
    /// the true values, negative for worse ones.
    pub r2: f64,
}

/// Adds up errors, one row after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorSum {
    weight: f64,
    y: f64,
    yy: f64,
    absolute: f64,
    square: f64,
    relative: f64,
    positive: f64,
    predicted: f64,
}

impl ErrorSum {
    /// Adds a row: true and predicted power in watts, and its weight.
    pub fn push(&mut self, truth: f64, predicted: f64, weight: f64) {
        let error = predicted - truth;
        self.weight += weight;
        self.y += weight * truth;
        self.yy += weight * truth * truth;
        self.absolute += weight * error.abs();
        self.square += weight * error * error;
        self.predicted += weight * predicted * predicted;
        if truth > 0.0 {
            self.relative += weight * error.abs() / truth;
            self.positive += weight;
        }
    }

    /// The errors of all rows together; `None` for no rows.
    pub fn errors(&self) -> Option<Errors> {
        if self.weight <= 0.0 {
            return None;
        }
        let spread = self.yy - self.y * self.y / self.weight;
        Some(Errors {
            mae: self.absolute / self.weight,
            rmse: (self.square / self.weight).sqrt(),
            mape: self.relative / self.positive.max(f64::MIN_POSITIVE),
            r2: if spread > 0.0 {
                1.0 - self.square / spread
            } else {
                0.0
            },
        })
    }

    /// Sum of the squared errors.
    pub fn square(&self) -> f64 {
        self.square
    }

    /// Root mean square of the error, relative to that of the prediction:
    /// the relative standard deviation of energy that the model predicts.
    pub fn relative_sd(&self) -> f64 {
        if self.predicted > 0.0 {
            (self.square / self.predicted).sqrt()
        } else {
            f64::INFINITY
        }
    }
}
