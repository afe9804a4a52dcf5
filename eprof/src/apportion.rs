//! Splitting an integer exactly.

use crate::unit::Microjoules;

/// Splits `total` in proportion to `weights` by the method of largest
/// remainders (Hamilton's): every share is rounded down, and the microjoules
/// that are left go to the largest remainders, the first of equals first.
///
/// The shares add up to `total` exactly, each is less than one microjoule
/// from its ideal, and a weight of zero gets nothing. Without any weight there
/// is nobody to charge: all shares are zero, and `total` stays the caller's.
pub fn apportion(total: Microjoules, weights: &[u64]) -> Vec<Microjoules> {
    let mut split = Split::default();
    split.apportion(total, weights);
    split.shares
}

/// Splits again and again, in the same memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Split {
    shares: Vec<Microjoules>,
    /// What was left over where, by the width of the division.
    narrow: Vec<(u64, usize)>,
    wide: Vec<(u128, usize)>,
}

impl Split {
    /// As [`apportion`].
    pub(super) fn apportion(&mut self, total: Microjoules, weights: &[u64]) -> &[Microjoules] {
        self.shares.clear();
        let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
        if sum == 0 || total.0 == 0 {
            self.shares.resize(weights.len(), Microjoules::ZERO);
            return &self.shares;
        }
        let heaviest = weights.iter().copied().max().unwrap_or(0);
        // Most of what is divided is small, and processors divide 64 bits many
        // times as fast as 128.
        match (total.0.checked_mul(heaviest), u64::try_from(sum)) {
            (Some(_), Ok(sum)) => {
                let divide = |weight| {
                    let product = total.0 * weight;
                    (product / sum, product % sum)
                };
                share_out(total, weights, divide, &mut self.shares, &mut self.narrow);
            }
            _ => {
                // Two 64-bit factors: always fits. The share is at most `total`,
                // as the weight is at most their sum.
                let divide = |weight| {
                    let product = u128::from(total.0) * u128::from(weight);
                    let share = product / sum;
                    let left = product - share * sum;
                    (u64::try_from(share).unwrap_or(total.0), left)
                };
                share_out(total, weights, divide, &mut self.shares, &mut self.wide);
            }
        }
        &self.shares
    }
}

/// Adds a share for each weight, as `divide` says: a quotient and what is left
/// over.
fn share_out<N: Copy + Default + Ord>(
    total: Microjoules,
    weights: &[u64],
    divide: impl Fn(u64) -> (u64, N),
    shares: &mut Vec<Microjoules>,
    remainders: &mut Vec<(N, usize)>,
) {
    remainders.clear();
    let mut left = total.0;
    // Neighbours are often equal, and divisions are slow.
    let mut last = (0, (0, N::default()));
    for (index, &weight) in weights.iter().enumerate() {
        if weight != last.0 {
            last = (weight, divide(weight));
        }
        let (share, remainder) = last.1;
        left -= share;
        shares.push(Microjoules(share));
        if remainder > N::default() {
            remainders.push((remainder, index));
        }
    }
    // The remainders add up to `left × sum` and each is below `sum`, so there
    // are more of them than microjoules left.
    let left = usize::try_from(left)
        .unwrap_or(usize::MAX)
        .min(remainders.len());
    if left > 0 && left < remainders.len() {
        remainders.select_nth_unstable_by_key(left - 1, |&(remainder, index)| {
            (std::cmp::Reverse(remainder), index)
        });
    }
    for &(_, index) in &remainders[..left] {
        shares[index] += Microjoules(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(total: u64, weights: &[u64]) -> Vec<u64> {
        let shares = apportion(Microjoules(total), weights);
        shares.into_iter().map(|share| share.0).collect()
    }

    #[test]
    fn the_largest_remainders_get_what_is_left() {
        // Ideal: 1.43, 2.86, 5.71.
        assert_eq!(split(10, &[1, 2, 4]), [1, 3, 6]);
    }

    #[test]
    fn equals_are_served_in_order() {
        assert_eq!(split(5, &[1, 1, 1]), [2, 2, 1]);
    }

    #[test]
    fn four_equal_threads_get_a_quarter_each() {
        // A power of the share (EnergAt's exponent) would give 66 % each.
        assert_eq!(split(1_000_000, &[25, 25, 25, 25]), [250_000; 4]);
    }

    #[test]
    fn nobody_is_charged_without_weight() {
        assert_eq!(split(10, &[0, 0]), [0, 0]);
        assert_eq!(split(10, &[]), [0; 0]);
    }

    proptest! {
        #[test]
        fn shares_are_exact_fair_and_repeatable(
            total: u64, weights in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..10], 0..40),
        ) {
            let shares = split(total, &weights);
            let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
            let given: u128 = shares.iter().map(|&share| u128::from(share)).sum();
            prop_assert_eq!(given, if sum == 0 { 0 } else { total.into() });
            for (&share, &weight) in shares.iter().zip(&weights) {
                // |share − total × weight / sum| < 1, in integers.
                let ideal = u128::from(total) * u128::from(weight);
                let share = u128::from(share) * sum;
                prop_assert!(share.abs_diff(ideal) < sum.max(1));
            }
            prop_assert_eq!(split(total, &weights), shares);
        }

        #[test]
        fn more_weight_is_never_less_energy(
            total: u64, weights in prop::collection::vec(0u64..1000, 2..20),
        ) {
            let shares = split(total, &weights);
            for (i, j) in (0..weights.len()).flat_map(|i| (0..weights.len()).map(move |j| (i, j))) {
                if weights[i] > weights[j] {
                    prop_assert!(shares[i] >= shares[j]);
                }
            }
        }
    }
}
