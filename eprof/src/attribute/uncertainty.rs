//! How far a row may be from the truth: 90 % half widths.
//!
//! Four causes, kept apart because they are independent.
//!
//! **Timing.** At each boundary between two spans of a meter, some energy
//! ([`BoundaryError`], of mean m and standard deviation σ) is booked on the later
//! side that belongs to the earlier one. A row that has the share `s` of the
//! earlier and `t` of the later span gets `(t − s)` of it too much. So over
//! all boundaries, with a share of zero before the first and after the last
//! span, the row is off by `Σ m (t − s)` (which vanishes where the power is
//! the same at all boundaries), give or take `Var = Σ σ² (t − s)²`; the half
//! width is `|Σ m (t − s)| + z √Var`. Threads of one process share their
//! errors, so a process has the shares of its threads added *before* they are
//! squared; adding the threads' widths would be wrong in both directions.
//!
//! **Baseline.** A row is `(E − P₀Δ)·w/W + P₀Δ·t/T` per span; its
//! derivative by the idle power P₀ is `Δ (t/T − w/W)`, summed over the run
//! with its sign (the error of P₀ is the same throughout), times the standard
//! deviation of P₀.
//!
//! **Weights.** Threads may take more or less power than their weights say. How
//! much of that the run itself rules out is found in
//! `super::weigh`.
//!
//! **Sampling.** A thread's energy is split by a finite number of samples,
//! see [`sampling_share`].

use crate::timeline::BoundaryError;

use super::ledger::HalfWidth;

/// 90 % of a normal distribution lie within this many standard deviations.
pub const Z90: f64 = 1.645;

/// The boundaries around the current span of one meter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Boundaries {
    /// Counts the spans; jumps over spans of unknown energy.
    span: u64,
    before: BoundaryError,
    after: Option<BoundaryError>,
}

impl Boundaries {
    /// Goes on to the next span, with the boundary at its end.
    pub(super) fn next(&mut self, boundary: BoundaryError) {
        // At the start and after a gap, the first boundary of a span is taken
        // to be as good as its last.
        self.before = self.after.unwrap_or(boundary);
        self.after = Some(boundary);
        self.span += 1;
    }

    /// Goes past a span whose energy is unknown.
    pub(super) fn gap(&mut self) {
        self.span += 1;
        self.after = None;
    }
}

/// What has been gathered about one row and one meter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    /// Σ m (t − s) over the boundaries passed, µJ.
    drift: f64,
    /// Σ σ² (t − s)², µJ².
    variance: f64,
    /// Σ Δ (t/T − w/W), seconds.
    lever: f64,
    /// The last span in which the row had a share: its number, the share,
    /// and the boundary at its end.
    last: Option<(u64, f64, BoundaryError)>,
}

impl Spread {
    /// The row has the share `share` of the current span, and `lever`
    /// seconds of leverage on the idle power.
    pub(super) fn add(&mut self, share: f64, lever: f64, boundaries: &Boundaries) {
        let neighbour = match self.last {
            Some((span, share, _)) if span + 1 == boundaries.span => share,
            _ => {
                self.close();
                0.0
            }
        };
        self.pass(boundaries.before, share - neighbour);
        self.lever += lever;
        let after = boundaries.after.unwrap_or_default();
        self.last = Some((boundaries.span, share, after));
    }

    /// The share rises by `rise` at a boundary.
    fn pass(&mut self, boundary: BoundaryError, rise: f64) {
        self.drift += boundary.mean * rise;
        self.variance += (boundary.sd * rise).powi(2);
    }

    fn close(&mut self) {
        if let Some((_, share, after)) = self.last.take() {
            self.pass(after, -share);
        }
    }
}

/// The errors of one row, over several meters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Errors {
    drift: f64,
    timing: f64,
    baseline: f64,
    bias: f64,
    weights: f64,
}

impl Errors {
    /// Adds the errors by one more meter, whose idle power has the standard
    /// deviation `idle_sd_w`. Meters err independently of each other, but all
    /// are late.
    pub(super) fn add(&mut self, mut spread: Spread, idle_sd_w: f64) {
        spread.close();
        self.drift += spread.drift;
        self.timing += spread.variance;
        self.baseline += (spread.lever * idle_sd_w * 1e6).powi(2);
    }

    /// Adds the error by the weights of one more meter: what is to be expected
    /// and its variance. The meters' weights err independently.
    pub(super) fn weigh(&mut self, (bias, variance): (f64, f64)) {
        self.bias += bias;
        self.weights += variance;
    }

    /// The 90 % half width.
    pub(super) fn half_width(self) -> HalfWidth {
        HalfWidth {
            timing: self.drift.abs() + Z90 * self.timing.sqrt(),
            sampling: 0.0,
            baseline: Z90 * self.baseline.sqrt(),
            weights: self.bias.abs() + Z90 * self.weights.sqrt(),
        }
    }
}

/// Half width of the 90 % interval of a share `share`, found with `samples`
/// (effective, so not whole) samples.
///
/// Wilson's score interval (Wilson 1927, J. Am. Stat. Assoc. 22:209), which
/// keeps its width where a function has none or all of the samples. It is not
/// centred on the share, so the longer of its two arms is taken: the
/// symmetrical interval covers Wilson's. Zero where nothing was sampled:
/// then there is no share to be wrong about.
pub fn sampling_share(share: f64, samples: f64) -> f64 {
    if samples <= 0.0 {
        return 0.0;
    }
    let share = share.clamp(0.0, 1.0);
    let z2 = Z90 * Z90;
    let denominator = 1.0 + z2 / samples;
    let centre = (share + z2 / (2.0 * samples)) / denominator;
    let spread = share * (1.0 - share) / samples + z2 / (4.0 * samples * samples);
    Z90 * spread.sqrt() / denominator + (centre - share).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9 * b.abs().max(1.0)
    }

    fn boundary(mean: f64, sd: f64) -> BoundaryError {
        BoundaryError { mean, sd }
    }

    fn errors(spread: Spread, idle_sd_w: f64) -> Errors {
        let mut errors = Errors::default();
        errors.add(spread, idle_sd_w);
        errors
    }

    #[test]
    fn only_changes_of_share_are_uncertain() {
        let mut boundaries = Boundaries::default();
        let mut spread = Spread::default();
        for _ in 0..100 {
            boundaries.next(boundary(7.0, 3.0));
            spread.add(0.5, 0.0, &boundaries);
        }
        // The first and the last boundary only, and both are equally late.
        let errors = errors(spread, 0.0);
        assert!(close(errors.timing, 2.0 * (3.0f64 * 0.5).powi(2)));
        assert!(close(errors.drift, 0.0));
    }

    #[test]
    fn a_row_that_comes_and_goes_pays_for_every_boundary() {
        let mut boundaries = Boundaries::default();
        let mut spread = Spread::default();
        for n in 0..10 {
            boundaries.next(boundary(0.0, 2.0));
            if n % 2 == 0 {
                spread.add(1.0, 0.0, &boundaries);
            }
        }
        assert!(close(errors(spread, 0.0).timing, 10.0 * 4.0));
    }

    #[test]
    fn what_comes_late_is_missing_where_the_power_was_higher() {
        let mut boundaries = Boundaries::default();
        let mut spread = Spread::default();
        boundaries.next(boundary(1.0, 0.0));
        boundaries.next(boundary(5.0, 0.0));
        spread.add(1.0, 0.0, &boundaries);
        // Gets 1 µJ of the span before, and loses 5 µJ to the one after.
        assert!(close(errors(spread, 0.0).drift, -4.0));
    }

    #[test]
    fn a_gap_has_two_sides() {
        let mut boundaries = Boundaries::default();
        let mut spread = Spread::default();
        boundaries.next(boundary(0.0, 1.0));
        spread.add(1.0, 0.0, &boundaries);
        boundaries.gap();
        boundaries.next(boundary(0.0, 5.0));
        spread.add(1.0, 0.0, &boundaries);
        assert!(close(errors(spread, 0.0).timing, 1.0 + 1.0 + 25.0 + 25.0));
    }

    #[test]
    fn the_baseline_error_keeps_its_sign() {
        let mut boundaries = Boundaries::default();
        let mut spread = Spread::default();
        for lever in [2.0, -1.5] {
            boundaries.next(BoundaryError::default());
            spread.add(0.0, lever, &boundaries);
        }
        // 0.5 s × 0.1 W = 50 mJ.
        assert!(close(errors(spread, 0.1).baseline, 50_000f64.powi(2)));
    }

    #[test]
    fn all_or_none_of_the_samples_is_not_certainty() {
        assert!(sampling_share(0.0, 20.0) > 0.1);
        assert!(sampling_share(1.0, 20.0) > 0.1);
        assert!(sampling_share(1.0, 1.0) > 0.7);
    }

    #[test]
    fn many_samples_give_the_textbook_width() {
        let textbook = Z90 * (0.3f64 * 0.7 / 1e6).sqrt();
        assert!((sampling_share(0.3, 1e6) / textbook - 1.0).abs() < 1e-2);
    }
}
