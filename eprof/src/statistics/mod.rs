//! Statistics of repeated values, such as those of repeated runs: what
//! follows from values that differ each time. The room is pure: numbers in,
//! numbers out, in whatever unit the values have.
//!
//! - [`Summary`]: mean with its interval, median, extremes, outliers, drift
//! - [`Contrast`]: two sets of runs, as ratio and difference with intervals,
//!   independent or blocked; how many runs would show more
//! - [`median`] and [`median_and_deviation`]: what a few outliers do not change
//! - [`holm`]: at which level each of many rows is tested
//!
//! Every function is total: too few values or values that are not numbers give
//! `None`, never a panic.

mod confidence;
mod contrast;
mod drift;
mod many;
mod moments;
mod outlier;
mod runs;
mod student;
mod summary;

pub use confidence::{Confidence, Interval};
pub use contrast::{Contrast, Design, Verdict, correlation};
pub use drift::{Drift, drift};
pub use many::holm;
pub use moments::{MAD_TO_SD, median, median_and_deviation, upper_median};
pub use outlier::{FEWEST as FEWEST_FOR_OUTLIERS, outliers};
pub use runs::{MOST_RUNS, USUAL_POWER};
pub use summary::Summary;
