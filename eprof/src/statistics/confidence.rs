//! How sure an interval is, and what it holds.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, ErrorKind};

/// The probability with which an interval holds the truth: more than 0, less
/// than 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Confidence(f64);

impl Confidence {
    /// That of all error bars of eprof.
    pub const NINETY: Self = Self(0.90);
    /// That of calling two things different: wrong once in a hundred
    /// comparisons of equals.
    pub const NINETY_NINE: Self = Self(0.99);

    /// `probability`, if it is one and certain of nothing.
    pub fn new(probability: f64) -> Option<Self> {
        (probability > 0.0 && probability < 1.0).then_some(Self(probability))
    }

    /// The confidence that leaves the probability `alpha` of being wrong.
    pub fn of_alpha(alpha: f64) -> Option<Self> {
        // 1 − α would lose an α below 1e-16; nothing here needs one.
        Self::new(1.0 - alpha)
    }

    /// The probability.
    pub fn probability(self) -> f64 {
        self.0
    }

    /// The probability that the interval does not hold the truth.
    pub fn alpha(self) -> f64 {
        1.0 - self.0
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 99.9 is 99.90000000000001 otherwise.
        let percent = (self.0 * 1e8).round() / 1e6;
        write!(f, "{percent} %")
    }
}

impl FromStr for Confidence {
    type Err = Error;

    /// `95%`, `95`, or `0.95`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let number = text.trim().trim_end_matches('%').trim();
        let probability = number.parse::<f64>().ok().map(|number| {
            let percent = text.contains('%') || number >= 1.0;
            if percent { number / 100.0 } else { number }
        });
        // Less is a coin's toss.
        let usable = probability.filter(|p| (0.5..=0.999_999).contains(p));
        usable.and_then(Self::new).ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                format!("`{text}` is not a confidence from 50% to 99.9999%"),
            )
            .hint("write it as 99% or 0.99")
        })
    }
}

/// What lies between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// `middle` give or take `half`.
    pub fn around(middle: f64, half: f64) -> Self {
        Self {
            low: middle - half,
            high: middle + half,
        }
    }

    /// Whether `value` is in it.
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Half of its width.
    pub fn half(&self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// Both ends through a rising function.
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            low: f(self.low),
            high: f(self.high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_is_a_probability_or_a_percentage() {
        for (text, shown) in [
            ("99%", "99 %"),
            ("95", "95 %"),
            ("0.9", "90 %"),
            ("99.9 %", "99.9 %"),
        ] {
            let read = text.parse::<Confidence>().map(|read| read.to_string());
            assert_eq!(read.ok().as_deref(), Some(shown));
        }
        for text in ["", "x", "0", "100%", "1", "-5%", "0.2", "nan", "1e9"] {
            assert!(text.parse::<Confidence>().is_err(), "{text}");
        }
    }
}
