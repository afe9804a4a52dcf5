//! Whether values rise or fall in the order in which they were measured: the
//! machine grows warm, a disk fills, a neighbour comes or goes.
//!
//! Mann's test (Nonparametric Tests Against Trend, Econometrica 13, 1945): of
//! all pairs of runs, how many more rise than fall. No value counts for more
//! than its rank, so an outlier is no drift. How much it is comes from the
//! median of the slopes of all pairs (Sen, JASA 63, 1968).

use super::moments::{median, moments};
use super::student;

/// With fewer runs, chance makes any order.
const FEWEST: usize = 5;

/// Of so many runs, the slopes of all pairs are still quickly computed; of
/// more, as many are picked at equal distances.
const MOST: usize = 1000;

/// How many runs are counted exactly, if no two are equal.
const EXACT: usize = 60;

/// A trend over the order of runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// The change from the first run to the last, as a part of the median
    /// (0.02: rises by 2 %).
    pub change: f64,
    /// The probability of a trend at least as clear, where there is none.
    pub p: f64,
}

impl Drift {
    /// Whether it is hardly chance (1 in 100).
    pub fn is_real(&self) -> bool {
        self.p <= 0.01
    }
}

/// The drift of `values`, in the order in which they were measured; `None`
/// for fewer than five.
pub fn drift(values: &[f64]) -> Option<Drift> {
    moments(values)?;
    let step = values.len().div_ceil(MOST).max(1);
    let thinned: Vec<f64> = values.iter().copied().step_by(step).collect();
    if thinned.len() < FEWEST {
        return None;
    }
    let middle = median(&thinned).filter(|middle| *middle > 0.0)?;
    let (mut rises, mut falls) = (0u64, 0u64);
    let mut slopes = Vec::with_capacity(thinned.len() * (thinned.len() - 1) / 2);
    for (at, first) in thinned.iter().enumerate() {
        for (gap, second) in thinned[at + 1..].iter().enumerate() {
            rises += u64::from(second > first);
            falls += u64::from(second < first);
            slopes.push((second - first) / (gap + 1) as f64);
        }
    }
    let slope = median(&slopes)?;
    Some(Drift {
        change: slope * (thinned.len() - 1) as f64 / middle,
        p: probability(&thinned, rises, falls),
    })
}

/// The two-sided probability of so many rising and falling pairs.
fn probability(values: &[f64], rises: u64, falls: u64) -> f64 {
    let n = values.len();
    let pairs = (n * (n - 1) / 2) as u64;
    if rises + falls == pairs && n <= EXACT {
        return exact(n, rises.min(falls) as usize);
    }
    // With ties (Kendall, Rank Correlation Methods, 1970, section 4.9), and
    // for many runs: normal, with a correction for steps of 2.
    let spread = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ties = sorted.chunk_by(|a, b| a.total_cmp(b).is_eq());
    let tied: f64 = ties.map(|tie| spread(tie.len() as f64)).sum();
    let variance = (spread(n as f64) - tied) / 18.0;
    if variance <= 0.0 {
        return 1.0;
    }
    let score = (rises.abs_diff(falls) as f64 - 1.0).max(0.0);
    student::both_tails(score / variance.sqrt(), f64::INFINITY)
}

/// The probability that `n` values in random order have at most `few` falling
/// pairs, or at most as many rising ones.
fn exact(n: usize, few: usize) -> f64 {
    // The share of the orders of the first k values with j falling pairs: the
    // k-th value falls below 0 to k − 1 of those before it.
    let mut shares = vec![1.0];
    for k in 2..=n {
        let mut next = vec![0.0; shares.len() + k - 1];
        for (falling, share) in shares.iter().enumerate() {
            for more in 0..k {
                next[falling + more] += share / k as f64;
            }
        }
        shares = next;
    }
    let tail: f64 = shares.iter().take(few + 1).sum();
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(values: &[f64]) -> f64 {
        drift(values).map_or(f64::NAN, |drift| drift.p)
    }

    // python3 -c 'from scipy.stats import kendalltau as k
    // v=[3,1,4,1.5,5,9,2.6,5.3]; print(k(range(8),v,method="exact").pvalue)'
    #[test]
    fn probabilities_are_those_of_scipy() {
        let values = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.6, 5.3];
        assert!((p(&values) - 0.178_869_047_619_047_62).abs() < 1e-12);
        let rising: Vec<f64> = (0..10).map(|n| 100.0 + f64::from(n)).collect();
        assert!((p(&rising) - 5.511_463_844_797_178e-7).abs() < 1e-15);
    }

    #[test]
    fn ties_are_no_trend() {
        assert!(p(&[5.0; 20]) > 0.999);
        // S = 10, variance (5·4·15 + 0)/18 = 16.67 less two ties of two:
        // S = 8, variance (300 − 2·18)/18 = 14.67, z = 7/3.83.
        assert!((p(&[1.0, 1.0, 2.0, 2.0, 3.0]) - 0.067_6).abs() < 1e-4);
    }

    #[test]
    fn a_drift_tells_how_far_it_goes() {
        let values: Vec<f64> = (0..11).map(|n| 100.0 + f64::from(n)).collect();
        let drift = drift(&values);
        assert!(drift.is_some_and(|d| d.is_real() && (d.change - 10.0 / 105.0).abs() < 1e-9));
        assert_eq!(super::drift(&values[..4]), None);
    }

    #[test]
    fn one_outlier_is_no_drift() {
        let values = [10.0, 10.1, 9.9, 10.0, 10.05, 9.95, 10.02, 50.0];
        assert!(drift(&values).is_some_and(|drift| !drift.is_real()));
    }
}
