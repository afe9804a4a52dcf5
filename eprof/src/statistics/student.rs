//! Student's t distribution; with infinitely many degrees of freedom, the
//! normal one.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// From here on, the two differ by less than a ten-thousandth, and the inverse
/// of the incomplete beta function loses digits.
const MANY: f64 = 1e5;

/// The value that is exceeded with the probability `tail`, from 0 to ½.
pub(super) fn upper(tail: f64, freedom: f64) -> f64 {
    if tail.is_nan() || tail <= 0.0 {
        return f64::INFINITY;
    }
    if tail >= 0.5 {
        return 0.0;
    }
    let below = if freedom >= MANY {
        Some(Normal::standard().inverse_cdf(tail))
    } else {
        let t = StudentsT::new(0.0, 1.0, freedom);
        t.ok().map(|t| t.inverse_cdf(tail))
    };
    below.map_or(f64::INFINITY, |below| -below)
}

/// The half width, in standard errors, of the interval that leaves `alpha`
/// outside, half of it at each end.
pub(super) fn half(alpha: f64, freedom: f64) -> f64 {
    upper(alpha / 2.0, freedom)
}

/// The probability of a value at least as far from zero as `t`.
pub(super) fn both_tails(t: f64, freedom: f64) -> f64 {
    if t.is_nan() {
        return 1.0;
    }
    if t.is_infinite() {
        return 0.0;
    }
    let tail = if freedom >= MANY {
        Some(Normal::standard().sf(t.abs()))
    } else {
        StudentsT::new(0.0, 1.0, freedom)
            .ok()
            .map(|s| s.sf(t.abs()))
    };
    tail.map_or(1.0, |tail| (2.0 * tail).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a / b - 1.0).abs() < 1e-6, "{a} is not {b}");
    }

    // The figures are from SciPy 1.17.1:
    // python3 -c 'from scipy.stats import t; print(t.isf(.05,1), …)'
    #[test]
    fn quantiles_are_those_of_scipy() {
        close(upper(0.05, 1.0), 6.313_751_514_675_044);
        close(upper(0.05, 9.0), 1.833_112_932_656_238);
        close(upper(0.005, 18.0), 2.878_440_472_738_609);
        close(upper(0.000_25, 17.3), 4.269_277_325_074_86);
        close(upper(1e-7, 4.5), 51.912_218_679_417_91);
        // norm.isf(.05).
        close(upper(0.05, f64::INFINITY), 1.644_853_626_951_472_4);
        close(upper(0.05, 1e4), 1.645_006_018_069_243);
        assert!(upper(0.0, 5.0).is_infinite());
    }

    // python3 -c 'from scipy.stats import t; print(2*t.sf(2.5,3.7), …)'
    #[test]
    fn probabilities_are_those_of_scipy() {
        close(both_tails(2.5, 3.7), 0.071_822_022_911_826_78);
        close(both_tails(-40.0, 18.0), 4.865_261_692_304_997e-19);
        close(both_tails(1.959_963_984_540_054, f64::INFINITY), 0.05);
        close(both_tails(0.0, 5.0), 1.0);
        assert!((both_tails(f64::NAN, 5.0) - 1.0).abs() < f64::EPSILON);
    }
}
