//! Two sets of runs against each other.
//!
//! Where all values are positive, the ratio of the means is taken on a
//! logarithmic scale: `ln(new/base)` has the variance
//! `s₁²/(n₁ m₁²) + s₂²/(n₂ m₂²)` (the log response ratio of Hedges, Gurevitch
//! and Curtis, Ecology 80, 1999), and Welch and Satterthwaite's degrees of
//! freedom (Biometrika 34, 1947). What differs from run to run is mostly a
//! factor (frequency, temperature, a neighbour), so spreads are alike as parts
//! of the means; an interval of a ratio is never negative; and exchanging the
//! two sides gives the reciprocal. Fieller's interval of the ratio has no such
//! symmetry and may be endless; Welch's test of the logarithms compares
//! geometric means, which do not add up over rows, while what is shown are
//! arithmetic ones. For spreads below a tenth, all three agree.
//!
//! With values of zero (a function that was not sampled in some run) there is
//! no such scale: then the difference of the means is tested, as Welch does.
//!
//! Runs that were interleaved, one of each kind in every block, are compared
//! block by block, so that what is common to a block cancels. The ratio stays
//! that of the means, its variance is that of the residuals
//! `newᵢ/m₂ − baseᵢ/m₁` (Cochran, Sampling Techniques, 1977, section 6.3), with
//! `n − 1` degrees of freedom.

use super::confidence::{Confidence, Interval};
use super::moments::moments;
use super::student;

/// How the runs of the two sides were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// Each for itself.
    Independent,
    /// In blocks: one run of each side at about the same time.
    Blocked,
    /// One run each, whose errors are known only within the run.
    Single,
}

/// How the new side compares, where less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It takes less.
    Better,
    /// It takes more.
    Worse,
    /// No difference stands out from chance.
    Undetected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// ln(new / base).
    Ratio,
    /// new − base.
    Difference,
}

/// Two sets of runs, compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    /// The mean of the base, in the unit of the values.
    pub base: f64,
    /// The mean of the new side.
    pub new: f64,
    /// Runs of each.
    pub runs: (usize, usize),
    /// How they were made.
    pub design: Design,
    pub(super) scale: Scale,
    /// On the scale.
    pub(super) estimate: f64,
    /// Standard error of the estimate.
    pub(super) error: f64,
    /// Degrees of freedom.
    pub(super) freedom: f64,
}

impl Contrast {
    /// Runs that have nothing to do with each other; `None` where a side has
    /// none, neither has two, or some value is not a number.
    ///
    /// Where one side has a single run, its spread is taken to be the other's.
    pub fn independent(base: &[f64], new: &[f64]) -> Option<Self> {
        let (m1, s1) = moments(base)?;
        let (m2, s2) = moments(new)?;
        let scale = scale(base, new);
        // Standard deviations on the scale.
        let unit = |mean: f64| if scale == Scale::Ratio { mean } else { 1.0 };
        let (s1, s2) = (s1.map(|s| s / unit(m1)), s2.map(|s| s / unit(m2)));
        let (n1, n2) = (base.len() as f64, new.len() as f64);
        let (v1, v2) = (s1.or(s2)?.powi(2) / n1, s2.or(s1)?.powi(2) / n2);
        let freedom = match (s1, s2) {
            (Some(_), Some(_)) if v1 + v2 > 0.0 => {
                (v1 + v2).powi(2) / (v1.powi(2) / (n1 - 1.0) + v2.powi(2) / (n2 - 1.0))
            }
            _ => n1.max(n2) - 1.0,
        };
        let runs = (base.len(), new.len());
        let spread = ((v1 + v2).sqrt(), freedom);
        Some(Self::on(scale, (m1, m2), runs, Design::Independent, spread))
    }

    /// Runs in blocks: `base[i]` and `new[i]` belong together. `None` unless
    /// there are equally many of both, and at least two.
    pub fn blocked(base: &[f64], new: &[f64]) -> Option<Self> {
        let ((m1, _), (m2, _)) = (moments(base)?, moments(new)?);
        if base.len() != new.len() {
            return None;
        }
        let scale = scale(base, new);
        let unit = |mean: f64| if scale == Scale::Ratio { mean } else { 1.0 };
        let pairs = base.iter().zip(new);
        let residuals: Vec<f64> = pairs.map(|(a, b)| b / unit(m2) - a / unit(m1)).collect();
        let (_, sd) = moments(&residuals)?;
        let n = base.len();
        let spread = (sd? / (n as f64).sqrt(), n as f64 - 1.0);
        Some(Self::on(scale, (m1, m2), (n, n), Design::Blocked, spread))
    }

    /// One run each, with the standard deviations that are known from within
    /// the run. How runs differ from each other is not in them.
    pub fn single(base: (f64, f64), new: (f64, f64)) -> Option<Self> {
        let ((m1, s1), (m2, s2)) = (base, new);
        if ![m1, s1, m2, s2].iter().all(|x| x.is_finite()) {
            return None;
        }
        let mut scale = scale(&[m1], &[m2]);
        if s1 > m1 / 3.0 || s2 > m2 / 3.0 {
            // The logarithm of what may be nothing is no longer normal.
            scale = Scale::Difference;
        }
        let unit = |mean: f64| if scale == Scale::Ratio { mean } else { 1.0 };
        let error = (s1 / unit(m1)).hypot(s2 / unit(m2));
        let spread = (error, f64::INFINITY);
        Some(Self::on(scale, (m1, m2), (1, 1), Design::Single, spread))
    }

    fn on(
        scale: Scale,
        (base, new): (f64, f64),
        runs: (usize, usize),
        design: Design,
        (error, freedom): (f64, f64),
    ) -> Self {
        let estimate = match scale {
            Scale::Ratio => (new / base).ln(),
            Scale::Difference => new - base,
        };
        Self {
            base,
            new,
            runs,
            design,
            scale,
            estimate,
            error,
            freedom,
        }
    }

    /// New divided by base; `None` where the base is nothing.
    pub fn ratio(&self) -> Option<f64> {
        (self.base > 0.0).then(|| self.new / self.base)
    }

    /// The interval of the ratio; `None` where values of zero allow none.
    pub fn ratio_interval(&self, confidence: Confidence) -> Option<Interval> {
        (self.scale == Scale::Ratio).then(|| self.interval(confidence).map(f64::exp))
    }

    /// New less base, in the unit of the values.
    pub fn difference(&self) -> f64 {
        self.new - self.base
    }

    /// The interval of the difference: that of the ratio, times the mean of
    /// the base, so that both exclude "no difference" or neither does.
    pub fn difference_interval(&self, confidence: Confidence) -> Interval {
        let interval = self.interval(confidence);
        match self.scale {
            Scale::Ratio => interval.map(|log| self.base * log.exp_m1()),
            Scale::Difference => interval,
        }
    }

    fn interval(&self, confidence: Confidence) -> Interval {
        let half = student::half(confidence.alpha(), self.freedom) * self.error;
        Interval::around(self.estimate, if half.is_nan() { 0.0 } else { half })
    }

    /// The probability of a difference at least as large where there is none.
    pub fn p(&self) -> f64 {
        // Sums of the same numbers in another order are no difference, even
        // where nothing varies.
        let rounding = match self.scale {
            Scale::Ratio => 4.0 * f64::EPSILON,
            Scale::Difference => 4.0 * f64::EPSILON * (self.base.abs() + self.new.abs()),
        };
        if self.estimate.abs() <= rounding {
            return 1.0;
        }
        student::both_tails(self.estimate / self.error, self.freedom)
    }

    /// Whether the two differ, and which way, at this confidence.
    pub fn verdict(&self, confidence: Confidence) -> Verdict {
        if self.p() > confidence.alpha() {
            Verdict::Undetected
        } else if self.estimate < 0.0 {
            Verdict::Better
        } else {
            Verdict::Worse
        }
    }
}

/// How much two sides of blocks vary together: Pearson's correlation. `None`
/// where one does not vary, or there are not equally many of both.
pub fn correlation(base: &[f64], new: &[f64]) -> Option<f64> {
    let ((m1, s1), (m2, s2)) = (moments(base)?, moments(new)?);
    if base.len() != new.len() {
        return None;
    }
    let pairs = base.iter().zip(new);
    let sum: f64 = pairs.map(|(a, b)| (a - m1) * (b - m2)).sum();
    let r = sum / (base.len() as f64 - 1.0) / (s1? * s2?);
    r.is_finite().then_some(r)
}

fn scale(base: &[f64], new: &[f64]) -> Scale {
    let mut values = base.iter().chain(new);
    if values.all(|value| *value > 0.0) {
        Scale::Ratio
    } else {
        Scale::Difference
    }
}

#[cfg(test)]
#[path = "contrast_tests.rs"]
mod tests;
