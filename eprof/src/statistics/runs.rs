//! How many runs detect how small a difference.

use super::confidence::Confidence;
use super::contrast::{Contrast, Design, Scale};
use super::student;

/// The probability with which a difference should be found that is there,
/// unless asked otherwise.
pub const USUAL_POWER: f64 = 0.9;

/// More runs than this are not practical.
pub const MOST_RUNS: usize = 100_000;

impl Contrast {
    /// The smallest change of the ratio (0.03: 3 % more) that so many runs
    /// find with the probability `power`; `None` where there is no ratio.
    ///
    /// The usual approximation `(t_{1−α/2} + t_{power})` standard errors, which
    /// is within one run of the exact answer (the non-central t distribution).
    pub fn detectable(&self, confidence: Confidence, power: f64) -> Option<f64> {
        if self.scale == Scale::Difference {
            return None;
        }
        let log = reach(confidence, power, self.freedom) * self.error;
        log.is_finite().then(|| log.exp_m1())
    }

    /// Runs of each side that would find a change of the ratio by `change`
    /// (0.03: 3 % more; −0.03: 3 % less) with the probability `power`, where
    /// runs differ as much as these did. `None` where that is unknown or
    /// more than [`MOST_RUNS`].
    pub fn runs_for(&self, change: f64, confidence: Confidence, power: f64) -> Option<usize> {
        if self.scale == Scale::Difference || change <= -1.0 {
            return None;
        }
        self.runs_for_estimate(change.ln_1p(), confidence, power)
    }

    /// Runs of each side that would find the difference that was observed.
    pub fn runs_for_observed(&self, confidence: Confidence, power: f64) -> Option<usize> {
        self.runs_for_estimate(self.estimate, confidence, power)
    }

    fn runs_for_estimate(
        &self,
        estimate: f64,
        confidence: Confidence,
        power: f64,
    ) -> Option<usize> {
        let (n1, n2) = (self.runs.0 as f64, self.runs.1 as f64);
        // The variance of one run of each side together: the standard error
        // squared of n runs each is this divided by n.
        let (variance, freedom): (f64, fn(f64) -> f64) = match self.design {
            Design::Blocked => (self.error.powi(2) * n1, |n| n - 1.0),
            // Both spread alike.
            Design::Independent => {
                let of_one = self.error.powi(2) / (1.0 / n1 + 1.0 / n2);
                (2.0 * of_one, |n| 2.0 * (n - 1.0))
            }
            Design::Single => return None,
        };
        let enough = |n: usize| {
            let n = n as f64;
            reach(confidence, power, freedom(n)) * (variance / n).sqrt() <= estimate.abs()
        };
        if estimate.abs() <= 0.0 || !variance.is_finite() || !enough(MOST_RUNS) {
            return None;
        }
        // More runs never find less.
        let (mut few, mut many) = (1, MOST_RUNS);
        while many - few > 1 {
            let middle = few + (many - few) / 2;
            if enough(middle) {
                many = middle;
            } else {
                few = middle;
            }
        }
        Some(many)
    }
}

/// What is found with the probability `power`, in standard errors.
fn reach(confidence: Confidence, power: f64, freedom: f64) -> f64 {
    student::half(confidence.alpha(), freedom) + student::upper(1.0 - power, freedom)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten runs each, of which the standard deviation is 2 % of the mean.
    fn tens(change: f64) -> Contrast {
        let base: Vec<f64> = (0..10).map(|n| f64::from(n % 2) * 2.0 - 1.0).collect();
        let sd = (10.0f64 / 9.0).sqrt();
        let base: Vec<f64> = base.iter().map(|x| 100.0 * (1.0 + 0.02 * x / sd)).collect();
        let new: Vec<f64> = base.iter().map(|x| x * (1.0 + change)).collect();
        let contrast = Contrast::independent(&base, &new);
        let Some(contrast) = contrast else {
            unreachable!("there are ten of each");
        };
        contrast
    }

    // python3 -c 'from statsmodels.stats.power import TTestIndPower as P
    // import math; print(P().solve_power(math.log(1.03)/.02,None,.05,.9))'
    #[test]
    fn runs_are_within_one_of_statsmodels() {
        let confidence = Confidence::new(0.95).unwrap_or(Confidence::NINETY);
        let contrast = tens(0.03);
        for (change, power, exact) in [
            (0.03, 0.9, 10.679),
            (0.03, 0.8, 8.266),
            (0.01, 0.9, 85.872),
            (0.10, 0.9, 2.399),
        ] {
            let runs = contrast.runs_for(change, confidence, power).unwrap_or(0) as f64;
            assert!((runs - f64::ceil(exact)).abs() <= 1.0, "{change}: {runs}");
        }
        let observed = contrast.runs_for_observed(confidence, 0.9);
        assert_eq!(observed, contrast.runs_for(0.03, confidence, 0.9));
    }

    #[test]
    fn what_is_detectable_needs_as_many_runs_as_there_are() {
        let contrast = tens(0.0);
        let confidence = Confidence::NINETY_NINE;
        let change = contrast.detectable(confidence, 0.9).unwrap_or_default();
        assert_eq!(
            contrast.runs_for(change * 1.0001, confidence, 0.9),
            Some(10)
        );
        assert_eq!(contrast.runs_for(0.0, confidence, 0.9), None);
        assert_eq!(contrast.runs_for(-1.0, confidence, 0.9), None);
        assert_eq!(contrast.runs_for(1e-9, confidence, 0.9), None);
    }
}
