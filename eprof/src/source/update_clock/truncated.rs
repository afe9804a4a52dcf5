//! What is left of a normal distribution when its value is known to lie
//! between two others.

/// A normal distribution, cut off on both sides.
pub(super) struct Truncated {
    /// Its part of the whole.
    pub(super) weight: f64,
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Truncated {
    /// The part between `from` and `to`. Where it is less than `least` of the
    /// whole, its moments are those of the whole.
    pub(super) fn new(mean: f64, sd: f64, (from, to): (f64, f64), least: f64) -> Self {
        let (a, b) = ((from - mean) / sd, (to - mean) / sd);
        let weight = normal(b) - normal(a);
        if weight < least {
            return Self {
                weight,
                mean,
                variance: sd * sd,
            };
        }
        let height = |z: f64| {
            if z.is_finite() {
                (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt()
            } else {
                0.0
            }
        };
        let moment = |z: f64| if z.is_finite() { z * height(z) } else { 0.0 };
        let shift = (height(a) - height(b)) / weight;
        let shrink = 1.0 + (moment(a) - moment(b)) / weight - shift * shift;
        Self {
            weight,
            mean: mean + sd * shift,
            variance: sd * sd * shrink.clamp(1e-4, 1.0),
        }
    }
}

/// The standard normal distribution function, to 1e-7 (Abramowitz and Stegun
/// 1964, 7.1.26).
pub(super) fn normal(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let tail = series * (-x * x).exp() / 2.0;
    if z < 0.0 { tail } else { 1.0 - tail }
}
