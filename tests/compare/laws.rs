//! Probabilities are what they say, for values whose distribution is known.

use eprof::statistics::{Confidence, Contrast, Verdict, correlation};

use super::dice::Dice;
use super::machine::normal;

const TRIES: usize = 4_000;

/// Runs of a mean and a standard deviation.
fn runs(dice: &mut Dice, n: usize, mean: f64, sd: f64) -> Vec<f64> {
    (0..n).map(|_| mean + sd * normal(dice)).collect()
}

/// The share of tries in which the two sides are called different.
fn share(seed: u64, mut sides: impl FnMut(&mut Dice) -> Contrast) -> f64 {
    let mut dice = Dice::new(seed);
    let sure = Confidence::new(0.95).unwrap();
    let found = (0..TRIES).filter(|_| sides(&mut dice).verdict(sure) != Verdict::Undetected);
    found.count() as f64 / TRIES as f64
}

/// Equals are called different in 5 % of cases, within four standard errors
/// of so many tries.
fn assert_five_percent(share: f64) {
    let error = (0.05 * 0.95 / TRIES as f64).sqrt();
    assert!((share - 0.05).abs() < 4.0 * error + 0.005, "{share}");
}

#[test]
fn equals_differ_as_often_as_the_confidence_says() {
    for (n, m) in [(3, 3), (5, 5), (10, 10), (4, 12)] {
        assert_five_percent(share(n as u64, |dice| {
            let base = runs(dice, n, 100.0, 2.0);
            Contrast::independent(&base, &runs(dice, m, 100.0, 2.0)).unwrap()
        }));
    }
}

#[test]
fn so_they_do_in_blocks_that_vary_more_than_the_runs() {
    assert_five_percent(share(77, |dice| {
        let blocks = runs(dice, 8, 1.0, 0.1);
        let side = |dice: &mut Dice| -> Vec<f64> {
            blocks
                .iter()
                .map(|block| block * (50.0 + 0.5 * normal(dice)))
                .collect()
        };
        let base = side(dice);
        Contrast::blocked(&base, &side(dice)).unwrap()
    }));
}

// As `eprof diff` decides; see `diff/difference.rs`.
#[test]
fn choosing_blocks_by_correlation_is_nearly_free() {
    for common in [0.0, 0.5, 2.0] {
        let share = share(31, |dice| {
            let blocks = runs(dice, 10, 100.0, common);
            let side = |dice: &mut Dice| -> Vec<f64> {
                blocks.iter().map(|block| block + normal(dice)).collect()
            };
            let (base, new) = (side(dice), side(dice));
            match correlation(&base, &new) {
                Some(r) if r >= 0.7 => Contrast::blocked(&base, &new).unwrap(),
                _ => Contrast::independent(&base, &new).unwrap(),
            }
        });
        assert!(share < 0.06, "{common}: {share}");
    }
}

#[test]
fn what_is_said_to_be_detectable_is_detected() {
    let sure = Confidence::new(0.95).unwrap();
    // The true standard deviation, so that the promise does not vary.
    let plan = {
        let mut dice = Dice::new(5);
        let many = runs(&mut dice, 20_000, 100.0, 2.0);
        let (base, new) = many.split_at(10_000);
        Contrast::independent(base, new).unwrap()
    };
    let n = plan.runs_for(0.02, sure, 0.9).unwrap();
    assert!((20..=24).contains(&n), "{n}");
    let found = share(9, |dice| {
        let base = runs(dice, n, 100.0, 2.0);
        Contrast::independent(&base, &runs(dice, n, 102.0, 2.0)).unwrap()
    });
    assert!((0.87..=0.94).contains(&found), "{found}");
}
