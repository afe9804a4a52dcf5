//! Exact conversion of counts to microjoules.
//!
//! A meter's unit is an `f64`, which is an integer times a power of two. So
//! the product with an integer number of counts is exact in integers, and
//! rounding happens once, on the *cumulative* value: the energies of the
//! intervals are differences of rounded totals and always add up to the
//! rounded total, however many there are.

/// A cumulative energy above this is not believed. 2^53 µJ (9 GJ) is 285 years
/// at one watt; below it every sum over meters fits into 64 bits, and every
/// figure survives a reader that keeps JSON numbers as `f64`.
pub(super) const LIMIT_UJ: u64 = 1 << 53;

/// Microjoules per count as `mantissa × 2^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    mantissa: u64,
    exponent: i32,
}

impl Scale {
    /// The exact value of `uj_per_count`; `None` unless it is positive and
    /// normal (a unit that is not cannot be a unit).
    pub(super) fn new(uj_per_count: f64) -> Option<Self> {
        if !uj_per_count.is_normal() || uj_per_count < 0.0 {
            return None;
        }
        // IEEE 754 binary64: 52 stored bits, an implied leading one, bias 1023.
        let bits = uj_per_count.to_bits();
        let stored = i32::try_from((bits >> 52) & 0x7ff).ok()?;
        Some(Self {
            mantissa: bits & ((1 << 52) - 1) | 1 << 52,
            exponent: stored - 1075,
        })
    }

    /// `counts` in microjoules, rounded down; `None` above [`LIMIT_UJ`].
    pub(super) fn floor(self, counts: u128) -> Option<u64> {
        // 128 × 53 bits do not fit into 128: two limbs, `upper × 2^64 + lower`.
        let mantissa = u128::from(self.mantissa);
        let low = (counts & u128::from(u64::MAX)) * mantissa;
        let upper = (counts >> 64) * mantissa + (low >> 64);
        let lower = low & u128::from(u64::MAX);
        let microjoules = match u32::try_from(self.exponent) {
            Ok(left) => {
                let product = (upper == 0).then_some(lower)?;
                let fits = product == 0 || left < product.leading_zeros();
                fits.then(|| product.checked_shl(left).unwrap_or(0))?
            }
            Err(_) => {
                let right = self.exponent.unsigned_abs();
                if right >= 64 {
                    upper.checked_shr(right - 64).unwrap_or(0)
                } else {
                    let fits = upper.leading_zeros() >= 64 - right;
                    fits.then(|| upper << (64 - right) | lower >> right)?
                }
            }
        };
        u64::try_from(microjoules)
            .ok()
            .filter(|&microjoules| microjoules <= LIMIT_UJ)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The perf unit of RAPL, 2^-32 J, in microjoules.
    const PERF: f64 = 1e6 / 4_294_967_296.0;

    #[test]
    fn the_perf_unit_is_exact() {
        let scale = Scale::new(PERF).unwrap();
        assert_eq!(scale.floor(1 << 32), Some(1_000_000));
        assert_eq!(scale.floor((1 << 32) - 1), Some(999_999));
        // One hardware unit of 2^-14 J is 61.035 µJ.
        assert_eq!(scale.floor(1 << 18), Some(61));
    }

    #[test]
    fn a_unit_must_be_a_positive_number() {
        for unit in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 2.0] {
            assert_eq!(Scale::new(unit), None, "{unit}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(Scale::new(1.0).unwrap().floor(u128::MAX), None);
        assert_eq!(Scale::new(1e300).unwrap().floor(1), None);
        assert_eq!(Scale::new(1e300).unwrap().floor(0), Some(0));
        assert_eq!(Scale::new(1e-300).unwrap().floor(u128::MAX), Some(0));
        assert_eq!(Scale::new(1.0).unwrap().floor(1 << 53), Some(LIMIT_UJ));
        assert_eq!(Scale::new(1.0).unwrap().floor((1 << 53) + 1), None);
    }

    proptest! {
        /// Whole and dyadic units can be checked with plain integers.
        #[test]
        fn agrees_with_integer_arithmetic(
            counts in 0u64..1 << 40, whole in 1u32..1000, halvings in 0u32..40,
        ) {
            let unit = f64::from(whole) / 2f64.powi(halvings.cast_signed());
            let truth = (u128::from(counts) * u128::from(whole)) >> halvings;
            prop_assert_eq!(
                Scale::new(unit).unwrap().floor(counts.into()).map(u128::from),
                (truth <= u128::from(LIMIT_UJ)).then_some(truth)
            );
        }

        #[test]
        fn more_counts_are_never_less_energy(
            unit in 1e-12f64..1e12, a in any::<u128>(), b in any::<u128>(),
        ) {
            let scale = Scale::new(unit).unwrap();
            let (low, high) = (a.min(b), a.max(b));
            if let Some(of_high) = scale.floor(high) {
                prop_assert!(scale.floor(low).unwrap() <= of_high);
            }
        }
    }
}
