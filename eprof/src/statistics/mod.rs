//! Statistics of repeated runs: what can be said about values that differ from
//! run to run. Pure: numbers in, numbers out, in whatever unit the values have.
//!
//! - [`Summary`]: mean with its interval, median, extremes, outliers, drift
//! - [`Contrast`]: two sets of runs, as ratio and difference with intervals,
//!   independent or blocked; how many runs would tell more
//! - [`holm`]: at which level each of many rows is tested
//!
//! Every function is total: too few values or values that are not numbers give
//! `None`, never a panic.

mod confidence;
mod contrast;
mod drift;
mod many;
mod outlier;
mod runs;
mod student;
mod summary;

pub use confidence::{Confidence, Interval};
pub use contrast::{Contrast, Design, Verdict, correlation};
pub use drift::{Drift, drift};
pub use many::holm;
pub use outlier::{FEWEST as FEWEST_FOR_OUTLIERS, outliers};
pub use runs::{MOST_RUNS, USUAL_POWER};
pub use summary::Summary;

/// Mean and standard deviation (of a sample, `n − 1`); the latter needs two
/// values.
fn moments(values: &[f64]) -> Option<(f64, Option<f64>)> {
    if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let sd = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
    mean.is_finite().then_some((mean, sd))
}

/// The middle of `values`, half-way between two for an even number of them.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get((sorted.len() / 2).checked_sub(1)?)?;
    Some(lower + (upper - lower) / 2.0)
}
