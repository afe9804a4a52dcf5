//! Scales with round numbers.

use crate::unit::{Nanos, Timestamp};

/// Ticks of an axis from `low` to `high` in steps of 1, 2 or 5 times a power of
/// ten, at most about `most` of them.
pub(super) fn ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let length = high - low;
    if !length.is_finite() || length <= 0.0 || most == 0 {
        return Vec::new();
    }
    let rough = length / most as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|of| of * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(power * 10.0);
    let first = (low / step - 1e-6).ceil();
    let count = ((high / step + 1e-6).floor() - first).max(-1.0) as usize + 1;
    (0..count.min(64))
        .map(|at| (first + at as f64) * step)
        .collect()
}

/// Decimals that tell ticks apart.
pub(super) fn decimals(ticks: &[f64]) -> usize {
    let step = match ticks {
        [a, b, ..] => b - a,
        _ => 1.0,
    };
    (-(step.log10() + 1e-9).floor()).clamp(0.0, 9.0) as usize
}

/// The time axis: from nanoseconds to pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeAxis {
    /// Where it begins: time zero.
    pub(super) begin: Timestamp,
    /// Where it ends.
    pub(super) end: Timestamp,
    /// Pixels from the left.
    pub(super) left: f64,
    /// Pixels.
    pub(super) width: f64,
}

impl TimeAxis {
    /// How long it is.
    pub(super) fn length(&self) -> Nanos {
        Nanos(self.end.since(self.begin).0.max(1))
    }

    /// Where a time lies; what is outside lies at its edge.
    pub(super) fn x(&self, at: Timestamp) -> f64 {
        let part = at.since(self.begin).0 as f64 / self.length().0 as f64;
        self.left + part.min(1.0) * self.width
    }

    /// Its right edge.
    pub(super) fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Ticks as (place, label), and the unit.
    pub(super) fn ticks(&self) -> (Vec<(f64, String)>, &'static str) {
        let length = self.length().seconds();
        let (scale, unit) = match length {
            l if l < 1e-3 => (1e6, "µs"),
            l if l < 1.0 => (1e3, "ms"),
            l if l < 300.0 => (1.0, "s"),
            l if l < 5.0 * 3600.0 => (1.0 / 60.0, "min"),
            _ => (1.0 / 3600.0, "h"),
        };
        let high = self.length().seconds() * scale;
        let ticks = ticks(0.0, high, 9);
        let decimals = decimals(&ticks);
        let place = |at: f64| self.left + at / high * self.width;
        let all = ticks
            .into_iter()
            .map(|at| (place(at), format!("{at:.decimals$}")));
        (all.collect(), unit)
    }
}

/// The unit of a power axis up to `watts`: what a watt is in it, and its name.
pub(super) fn power_unit(watts: f64) -> (f64, &'static str) {
    match watts {
        w if w < 0.5 => (1e3, "mW"),
        w if w < 5e3 => (1.0, "W"),
        w if w < 5e6 => (1e-3, "kW"),
        _ => (1e-6, "MW"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_axis() {
        assert_eq!(ticks(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(-0.5, 1.6, 4), [0.0, 1.0]);
        assert_eq!(ticks(0.0, 0.0, 5), [0.0; 0]);
        assert_eq!(ticks(0.0, f64::NAN, 5), [0.0; 0]);
        for high in [1e-6, 0.3, 7.0, 123.0, 9.99e8] {
            let ticks = ticks(0.0, high, 5);
            assert!((2..=7).contains(&ticks.len()), "{high}: {ticks:?}");
        }
    }

    #[test]
    fn labels_tell_ticks_apart() {
        assert_eq!(decimals(&[0.0, 0.5]), 1);
        assert_eq!(decimals(&[0.0, 0.02]), 2);
        assert_eq!(decimals(&[0.0, 20.0]), 0);
    }
}
