//! How far a row may be from the truth: 90 % half widths.
//!
//! Three causes, kept apart because they are independent.
//!
//! **Timing.** At each border between two stretches of a meter, an unknown
//! amount of energy (standard deviation σ, [`Interval::border_sd_uj`]) is
//! booked on the wrong side. A row that has the share `s` of one side and `t`
//! of the other gets `(s − t)` of it wrong, so
//! `Var = Σ over borders of σ² (s − t)²`, with a share of zero before the
//! first and after the last stretch. Threads of one process share their
//! errors, so a process has the shares of its threads added *before* they
//! are squared; adding the threads' widths would be wrong in both directions.
//!
//! **Baseline.** A row is `(E − P₀Δ)·w/W + P₀Δ·t/T` per stretch; its
//! derivative by the idle power P₀ is `Δ (t/T − w/W)`, summed over the run
//! with its sign (the error of P₀ is the same throughout), times the standard
//! deviation of P₀.
//!
//! **Sampling.** A thread's energy is split by a finite number of samples,
//! see [`sampling_share`].
//!
//! [`Interval::border_sd_uj`]: crate::timeline::Interval::border_sd_uj

/// 90 % of a normal distribution lie within this many standard deviations.
pub const Z90: f64 = 1.645;

/// The borders around the current stretch of one meter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Borders {
    /// Counts the stretches; jumps over stretches of unknown energy.
    stretch: u64,
    before: f64,
    after: f64,
}

impl Borders {
    /// Goes on to the next stretch, with the deviation at its end.
    pub(super) fn next(&mut self, sd_uj: f64) {
        // After a gap, the first border is as good as the last of the stretch.
        self.before = if self.stretch > 0 && self.after > 0.0 {
            self.after
        } else {
            sd_uj
        };
        self.after = sd_uj;
        self.stretch += 1;
    }

    /// Goes past a stretch whose energy is unknown.
    pub(super) fn gap(&mut self) {
        self.stretch += 1;
        self.after = 0.0;
    }
}

/// What has been gathered about one row and one meter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    /// Σ σ² (s − t)² over the borders passed, µJ².
    timing: f64,
    /// Σ Δ (t/T − w/W), seconds.
    lever: f64,
    /// The last stretch in which the row had a share: its number, the share,
    /// and the deviation at its end.
    last: Option<(u64, f64, f64)>,
}

impl Spread {
    /// The row has the share `share` of the current stretch, and `lever`
    /// seconds of leverage on the idle power.
    pub(super) fn add(&mut self, share: f64, lever: f64, borders: &Borders) {
        let neighbour = match self.last {
            Some((stretch, share, _)) if stretch + 1 == borders.stretch => share,
            _ => {
                self.close();
                0.0
            }
        };
        self.timing += (borders.before * (share - neighbour)).powi(2);
        self.lever += lever;
        self.last = Some((borders.stretch, share, borders.after));
    }

    /// The variances by timing and by baseline, µJ², where the idle power has
    /// the deviation `idle_sd_w`.
    pub(super) fn variances(mut self, idle_sd_w: f64) -> (f64, f64) {
        self.close();
        (self.timing, (self.lever * idle_sd_w * 1e6).powi(2))
    }

    fn close(&mut self) {
        if let Some((_, share, after)) = self.last.take() {
            self.timing += (after * share).powi(2);
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
    let stretch = 1.0 + z2 / samples;
    let centre = (share + z2 / (2.0 * samples)) / stretch;
    let spread = share * (1.0 - share) / samples + z2 / (4.0 * samples * samples);
    Z90 * spread.sqrt() / stretch + (centre - share).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9 * b.abs().max(1.0)
    }

    #[test]
    fn only_changes_of_share_are_uncertain() {
        let mut borders = Borders::default();
        let mut spread = Spread::default();
        for _ in 0..100 {
            borders.next(3.0);
            spread.add(0.5, 0.0, &borders);
        }
        // The first and the last border only.
        assert!(close(spread.variances(0.0).0, 2.0 * (3.0f64 * 0.5).powi(2)));
    }

    #[test]
    fn a_row_that_comes_and_goes_pays_for_every_border() {
        let mut borders = Borders::default();
        let mut spread = Spread::default();
        for n in 0..10 {
            borders.next(2.0);
            if n % 2 == 0 {
                spread.add(1.0, 0.0, &borders);
            }
        }
        assert!(close(spread.variances(0.0).0, 10.0 * 4.0));
    }

    #[test]
    fn a_gap_has_two_sides() {
        let mut borders = Borders::default();
        let mut spread = Spread::default();
        borders.next(1.0);
        spread.add(1.0, 0.0, &borders);
        borders.gap();
        borders.next(5.0);
        spread.add(1.0, 0.0, &borders);
        assert!(close(spread.variances(0.0).0, 1.0 + 1.0 + 25.0 + 25.0));
    }

    #[test]
    fn the_baseline_error_keeps_its_sign() {
        let mut borders = Borders::default();
        let mut spread = Spread::default();
        for lever in [2.0, -1.5] {
            borders.next(0.0);
            spread.add(0.0, lever, &borders);
        }
        // 0.5 s × 0.1 W = 50 mJ.
        assert!(close(spread.variances(0.1).1, 50_000f64.powi(2)));
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
