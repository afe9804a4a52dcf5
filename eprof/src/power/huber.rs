//! Weights of rows that lie far off.

use crate::statistics::{MAD_TO_SD, upper_median};

/// Residuals beyond so many standard deviations are outliers: the value that
/// loses 5 % efficiency where there are none (Huber 1964).
const HUBER: f64 = 1.345;

/// Huber's weights for residuals, with the median absolute deviation as
/// scale; `None` where most residuals are alike.
pub(crate) fn huber(residuals: &[f64]) -> Option<Vec<f64>> {
    let sizes: Vec<f64> = residuals.iter().map(|off| off.abs()).collect();
    let scale = MAD_TO_SD * upper_median(&sizes)?;
    let limit = HUBER * scale;
    let weight = |off: &f64| {
        if off.abs() > limit {
            limit / off.abs()
        } else {
            1.0
        }
    };
    (scale > 0.0).then(|| residuals.iter().map(weight).collect())
}
