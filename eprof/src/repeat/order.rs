//! In which order commands are run.
//!
//! In blocks: each round runs every command once, in an order of its own, so
//! that what changes slowly (temperature, a neighbour) meets all commands
//! alike, and none is always the first (Box, Hunter and Hunter, Statistics for
//! Experimenters, 2005, chapter 4).

/// A sequence of numbers that looks random and is the same on every machine:
/// SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number
/// Generators, OOPSLA 2014).
#[derive(Clone, Debug)]
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, but without, `bound`.
    fn below(&mut self, bound: usize) -> usize {
        // The upper half of the product; off from even by bound / 2⁶⁴.
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

/// The order of `commands` commands in each of `rounds` rounds.
pub fn rounds(commands: usize, rounds: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut numbers = Numbers(seed);
    let shuffled = |_| {
        let mut order: Vec<usize> = (0..commands).collect();
        // Fisher and Yates.
        for last in (1..commands).rev() {
            order.swap(last, numbers.below(last + 1));
        }
        order
    };
    (0..rounds).map(shuffled).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // The first three of splitmix64.c (Vigna, prng.di.unimi.it), seed
        // 1234567.
        let mut numbers = Numbers(1_234_567);
        assert_eq!(numbers.next(), 6_457_827_717_110_365_317);
        assert_eq!(numbers.next(), 3_203_168_211_198_807_973);
        assert_eq!(numbers.next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn every_round_has_every_command_once() {
        for seed in 0..50 {
            for mut order in rounds(5, 10, seed) {
                order.sort_unstable();
                assert_eq!(order, [0, 1, 2, 3, 4]);
            }
        }
    }

    #[test]
    fn every_order_is_as_frequent_as_any_other() {
        let mut seen: BTreeMap<Vec<usize>, u32> = BTreeMap::new();
        for order in rounds(3, 6000, 42) {
            *seen.entry(order).or_default() += 1;
        }
        assert_eq!(seen.len(), 6);
        // Binomial, 1000 ± 29: five standard deviations.
        assert!(seen.values().all(|n| (856..=1144).contains(n)), "{seen:?}");
    }

    #[test]
    fn a_seed_is_an_order() {
        assert_eq!(rounds(4, 8, 7), rounds(4, 8, 7));
        assert_ne!(rounds(4, 8, 7), rounds(4, 8, 8));
    }
}
