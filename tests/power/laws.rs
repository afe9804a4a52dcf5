//! The fit against planted laws, and what must hold for any rows.

use eprof::power::{Accumulator, Fit, LINEAR, Prior, Row, SHAPED, Settings, Shape, Verdict};
use proptest::prelude::*;

/// A small generator (xorshift64*, Vigna 2016), so that rows are the same on
/// every machine.
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Roughly normal, standard deviation 1.
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }
}

/// Rows of rates like those of a busy machine: time (0 to 4 CPUs), cycles,
/// instructions and misses, of phases that last 15 rows.
fn rates(dice: &mut Dice, rows: usize) -> Vec<[f64; 4]> {
    let mut mix = [0.0; 4];
    (0..rows)
        .map(|at| {
            if at % 15 == 0 {
                mix = [
                    dice.roll() * 4.0,
                    dice.roll(),
                    dice.roll(),
                    dice.roll().powi(3),
                ];
            }
            let time = mix[0] * (0.9 + 0.1 * dice.roll());
            let cycles = time * (1.5e9 + 2e9 * mix[1]);
            [
                time * 1e9,
                cycles,
                cycles * (0.2 + 2.5 * mix[2]),
                time * 4e7 * mix[3],
            ]
        })
        .collect()
}

/// Joules per nanosecond, cycle, instruction and miss.
const LAW: [f64; 4] = [1.2e-9, 0.9e-9, 0.6e-9, 30e-9];

fn power(x: &[f64; 4]) -> f64 {
    x.iter().zip(LAW).map(|(x, weight)| x * weight).sum()
}

fn planted(rows: usize, noise: f64) -> Fit {
    let mut dice = Dice(42);
    let mut sum = Accumulator::new(4, Settings::above_idle(vec![0]));
    for x in rates(&mut dice, rows) {
        let y = power(&x) * (1.0 + noise * dice.noise());
        assert!(sum.push(&x, y, 0.05));
    }
    sum.fit().unwrap()
}

#[test]
fn a_planted_law_is_found() {
    let found = planted(400, 0.01);
    for (term, truth) in found.terms.iter().zip(LAW) {
        assert!((term.weight - truth).abs() < 0.05 * truth, "{found:#?}");
    }
    assert_eq!(found.verdict, Verdict::Better);
    assert!(found.residual < 0.02, "{}", found.residual);
    assert!(found.held_out.rmse < 0.2 * found.time_share.rmse);
}

#[test]
fn its_standard_errors_cover_the_truth() {
    let mut covered = 0;
    let mut all = 0;
    for seed in 1..40 {
        let mut dice = Dice(seed * 7919);
        let mut sum = Accumulator::new(4, Settings::above_idle(vec![0]));
        for x in rates(&mut dice, 300) {
            let y = power(&x) + 0.5 * dice.noise();
            sum.push(&x, y, 0.05);
        }
        let found = sum.fit().unwrap();
        for (j, truth) in LAW.iter().enumerate() {
            let sd = found.covariance[j * 4 + j].sqrt();
            all += 1;
            covered += usize::from((found.terms[j].weight - truth).abs() < 1.645 * sd);
        }
    }
    // Nominally 90 %.
    assert!(covered * 100 >= 82 * all, "{covered} of {all}");
}

#[test]
fn long_runs_give_what_short_ones_do() {
    let found = planted(30_000, 0.02);
    assert_eq!(found.rows, 30_000);
    for (term, truth) in found.terms.iter().zip(LAW) {
        assert!((term.weight - truth).abs() < 0.05 * truth, "{found:#?}");
    }
    assert_eq!(found.verdict, Verdict::Better);
    assert!(found.residual < 0.03, "{}", found.residual);
}

#[test]
fn outliers_are_outvoted() {
    let mut dice = Dice(3);
    let mut sum = Accumulator::new(4, Settings::above_idle(vec![0]));
    for (at, x) in rates(&mut dice, 500).into_iter().enumerate() {
        let wrong = if at % 25 == 7 { 40.0 } else { 0.0 };
        sum.push(&x, power(&x) + wrong + 0.1 * dice.noise(), 1.0);
    }
    let found = sum.fit().unwrap();
    for (term, truth) in found.terms.iter().zip(LAW) {
        assert!((term.weight - truth).abs() < 0.1 * truth, "{found:#?}");
    }
}

#[test]
fn time_share_wins_where_counters_say_nothing() {
    let mut dice = Dice(11);
    let mut sum = Accumulator::new(4, Settings::above_idle(vec![0]));
    for mut x in rates(&mut dice, 200) {
        let y = 3e-9 * x[0] * (1.0 + 0.05 * dice.noise());
        for counter in &mut x[1..] {
            *counter = dice.roll() * 1e9;
        }
        sum.push(&x, y, 1.0);
    }
    let found = sum.fit().unwrap();
    // The weights may say so themselves; if they do not, the verdict must.
    let by_time = found.held_out.rmse <= found.time_share.rmse * 1.02;
    assert!(
        by_time || found.verdict == Verdict::TimeShareIsBetter,
        "{found:#?}"
    );
    assert!((found.terms[0].weight - 3e-9).abs() < 0.1e-9, "{found:#?}");
}

#[test]
fn twins_share_and_do_not_blow_up() {
    let mut dice = Dice(5);
    let mut sum = Accumulator::new(3, Settings::above_idle(vec![0]));
    for x in rates(&mut dice, 300) {
        sum.push(
            &[x[0], x[1], 2.0 * x[1]],
            2e-9 * x[1] + 0.05 * dice.noise().abs(),
            1.0,
        );
    }
    let found = sum.fit().unwrap();
    assert_eq!(found.health.collinear, [2]);
    assert!(found.health.condition > 1e6);
    let together = found.terms[1].weight + 2.0 * found.terms[2].weight;
    assert!((together - 2e-9).abs() < 0.1e-9, "{found:#?}");
}

#[test]
fn silent_columns_are_named_and_get_nothing() {
    let mut dice = Dice(6);
    let mut sum = Accumulator::new(5, Settings::above_idle(vec![0]));
    for x in rates(&mut dice, 100) {
        sum.push(&[x[0], x[1], x[2], x[3], 0.0], power(&x), 1.0);
    }
    let found = sum.fit().unwrap();
    assert_eq!(found.health.zero, [4]);
    assert_eq!(found.terms[4].weight.to_bits(), 0);
}

#[test]
fn the_prior_rules_where_there_is_no_information() {
    let mut dice = Dice(8);
    let prior = Prior {
        mean: LAW.to_vec(),
        sd: LAW.iter().map(|weight| weight * 0.2).collect(),
    };
    let settings = Settings {
        prior: Some(prior),
        ..Settings::above_idle(vec![0])
    };
    let mut sum = Accumulator::new(4, settings);
    // All rows have one mix, so that they say how much and not of what.
    for _ in 0..100 {
        let part = dice.roll();
        let x = [1e9, 3e9, 4e9, 1e7].map(|rate: f64| rate * part);
        sum.push(&x, power(&x) * (1.0 + 0.01 * dice.noise()), 1.0);
    }
    let found = sum.fit().unwrap();
    for (term, truth) in found.terms.iter().zip(LAW) {
        assert!((term.weight - truth).abs() < 0.05 * truth, "{found:#?}");
    }
}

#[test]
fn a_bent_law_gets_a_bent_shape() {
    let mut dice = Dice(9);
    let mut rows: Vec<Row> = rates(&mut dice, 600)
        .into_iter()
        .map(|x| Row {
            y: 5.0 + 10.0 * (x[0] / 1e9).min(1.0) + 1e-9 * x[1],
            x: x.to_vec(),
            weight: 1.0,
            fold: 0,
        })
        .collect();
    eprof::power::contiguous(&mut rows, 10);
    let settings = Settings::with_idle(vec![0]);
    let straight = eprof::power::fit(&rows, 4, &settings, LINEAR).unwrap();
    let bent = eprof::power::fit(&rows, 4, &settings, SHAPED).unwrap();
    assert!(bent.held_out.rmse < 0.5 * straight.held_out.rmse);
    assert!(bent.terms.iter().any(|term| term.shape != Shape::Linear));
    assert!((bent.intercept - 5.0).abs() < 1.0, "{}", bent.intercept);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_rows_are_survived(
        rows in prop::collection::vec(
            (prop::collection::vec(prop_oneof![
                4 => 0.0..1e12,
                1 => Just(0.0),
                1 => Just(f64::NAN),
                1 => Just(1e300),
                1 => -1.0..0.0,
            ], 3), prop_oneof![3 => -10.0..1e4, 1 => Just(f64::INFINITY)], 0.0..2.0),
            0..60,
        ),
        intercept: bool,
    ) {
        let settings = Settings { intercept, ..Settings::above_idle(vec![0]) };
        let mut sum = Accumulator::new(3, settings);
        for (x, y, weight) in &rows {
            sum.push(x, *y, *weight);
        }
        let one = sum.fit();
        if let Some(found) = &one {
            prop_assert!(found.terms.iter().all(|term| term.weight >= 0.0 && term.weight.is_finite()));
            prop_assert!(found.intercept >= 0.0);
        }
        // The same rows, the same fit.
        prop_assert_eq!(format!("{one:?}"), format!("{:?}", sum.fit()));
    }

    #[test]
    fn units_do_not_matter(seed in 1_u64..1000, exponents in prop::collection::vec(-9_i32..9, 4)) {
        let mut dice = Dice(seed);
        let rows = rates(&mut dice, 120);
        let powers: Vec<f64> = rows.iter().map(|x| power(x) + dice.noise()).collect();
        let units: Vec<f64> = exponents.iter().map(|e| 10_f64.powi(*e)).collect();
        let mut plain = Accumulator::new(4, Settings::above_idle(vec![0]));
        let mut scaled = plain.clone();
        for (x, y) in rows.iter().zip(powers) {
            plain.push(x, y, 1.0);
            let x: Vec<f64> = x.iter().zip(&units).map(|(x, unit)| x * unit).collect();
            scaled.push(&x, y * 1000.0, 1.0);
        }
        let (plain, scaled) = (plain.fit().unwrap(), scaled.fit().unwrap());
        prop_assert_eq!(plain.verdict, scaled.verdict);
        let size = plain.terms.iter().map(|term| term.weight * 1e9).fold(0.0, f64::max);
        for ((one, other), unit) in plain.terms.iter().zip(&scaled.terms).zip(&units) {
            let back = other.weight * unit / 1000.0;
            prop_assert!((back - one.weight).abs() * 1e9 < 1e-4 * size, "{plain:?} {scaled:?}");
        }
    }
}
