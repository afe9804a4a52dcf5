//! Repeated values of one quantity in a few numbers.

use super::confidence::{Confidence, Interval};
use super::drift::{Drift, drift};
use super::moments::{median, moments};
use super::outlier::outliers;
use super::student;

/// Repeated values, summed up. All in the unit of the values.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How many values there are.
    pub runs: usize,
    /// Their mean.
    pub mean: f64,
    /// What holds the mean of all runs that might be made, by Student's t;
    /// `None` for a single run, which has no spread.
    pub interval: Option<Interval>,
    /// The confidence of the interval.
    pub confidence: Confidence,
    /// Their median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Their standard deviation, with `n − 1`; `None` for a single run.
    pub sd: Option<f64>,
    /// Positions of values that do not belong to the rest.
    pub outliers: Vec<usize>,
    /// Whether they rise or fall over the runs; `None` for fewer than five.
    pub drift: Option<Drift>,
}

impl Summary {
    /// Sums up `values`, which are in the order in which they were measured;
    /// `None` if there are none, or some are not numbers.
    pub fn of(values: &[f64], confidence: Confidence) -> Option<Self> {
        let (mean, sd) = moments(values)?;
        let n = values.len() as f64;
        let half = |sd: f64| student::half(confidence.alpha(), n - 1.0) * sd / n.sqrt();
        Some(Self {
            runs: values.len(),
            mean,
            interval: sd.map(|sd| Interval::around(mean, half(sd))),
            confidence,
            median: median(values)?,
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            sd,
            outliers: outliers(values),
            drift: drift(values),
        })
    }

    /// The standard deviation as a part of the mean.
    pub fn relative_sd(&self) -> Option<f64> {
        self.sd.filter(|_| self.mean > 0.0).map(|sd| sd / self.mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // python3 -c 'import numpy as np; from scipy.stats import t
    // v=np.array([12.1,11.8,12.6,12.3,11.9]); m=v.mean(); s=v.std(ddof=1)
    // print(m,s,t.interval(.9,4,m,s/5**.5),np.median(v))'
    #[test]
    fn figures_are_those_of_scipy() {
        let values = [12.1, 11.8, 12.6, 12.3, 11.9];
        let Some(summary) = Summary::of(&values, Confidence::NINETY) else {
            unreachable!("there are values");
        };
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
        close(summary.mean, 12.14);
        close(summary.sd.unwrap_or_default(), 0.320_936_130_717_624_15);
        let interval = summary.interval.unwrap_or(Interval::around(0.0, 0.0));
        close(interval.low, 11.834_022_424_286_275);
        close(interval.high, 12.445_977_575_713_723);
        close(summary.median, 12.1);
        close(summary.min, 11.8);
        close(summary.max, 12.6);
        assert_eq!(summary.outliers, Vec::<usize>::new());
    }

    #[test]
    fn one_run_has_no_interval_and_none_no_summary() {
        let one = Summary::of(&[4.0], Confidence::NINETY);
        assert!(one.is_some_and(|one| one.interval.is_none() && one.sd.is_none()));
        assert_eq!(Summary::of(&[], Confidence::NINETY), None);
        assert_eq!(Summary::of(&[1.0, f64::NAN], Confidence::NINETY), None);
        assert_eq!(Summary::of(&[f64::MAX, f64::MAX], Confidence::NINETY), None);
    }
}
