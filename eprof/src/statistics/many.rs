//! Many rows at once.
//!
//! Of a hundred rows that did not change, one is "changed" at 99 %. Holm's
//! correction (A Simple Sequentially Rejective Multiple Test Procedure,
//! Scandinavian Journal of Statistics 6, 1979) keeps the probability that any
//! row is called changed wrongly below α, however rows depend on each other.
//! Benjamini and Hochberg's would find more, but promises something weaker
//! (few wrong rows among those that are found), and that only for rows which
//! do not pull against each other. Rows of a profile do: what one function
//! gets of a thread's energy, another does not. And a comparison of two equal
//! programs should show nothing.

/// The level at which each of the rows with the probabilities `p` is tested,
/// so that in all, the probability of any wrong finding is at most `alpha`. A
/// row has changed where its `p` is at most its level; that is the same as
/// that its interval of confidence `1 − level` excludes "no change".
pub fn holm(p: &[f64], alpha: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut levels = vec![alpha; p.len()];
    let mut stopped = None;
    for (rank, &row) in order.iter().enumerate() {
        let level = alpha / (p.len() - rank) as f64;
        // All that come after the first failure fail too, at its level.
        let level = *stopped.get_or_insert(level);
        levels[row] = level;
        if p[row] <= level {
            stopped = None;
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(p: &[f64], alpha: f64) -> Vec<bool> {
        let levels = holm(p, alpha);
        p.iter().zip(&levels).map(|(p, level)| p <= level).collect()
    }

    // python3 -c 'from statsmodels.stats.multitest import multipletests as m
    // print(m([.01,.04,.03,.005],.05,"holm")[0])'
    #[test]
    fn rows_are_rejected_as_statsmodels_does() {
        assert_eq!(
            rejected(&[0.01, 0.04, 0.03, 0.005], 0.05),
            [true, false, false, true]
        );
        // .04 would pass by itself, but comes after a failure.
        assert_eq!(
            rejected(&[0.02, 0.04, 0.9, 0.0001], 0.05),
            [false, false, false, true]
        );
        assert_eq!(rejected(&[0.049], 0.05), [true]);
        assert!(rejected(&[], 0.05).is_empty());
    }

    #[test]
    fn levels_are_shared_by_those_that_fail() {
        let levels = holm(&[0.001, 0.5, 0.3], 0.06);
        assert_eq!(levels, [0.02, 0.03, 0.03]);
    }
}
