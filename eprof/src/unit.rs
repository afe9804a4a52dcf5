//! Units are types: a joule cannot be added to a second.
//!
//! Energy is an integer number of microjoules, time an integer number of
//! nanoseconds on `CLOCK_MONOTONIC`. Conversions to floating point happen at
//! the output edge only.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// An amount of energy in integer microjoules.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Microjoules(pub u64);

impl Microjoules {
    /// No energy. Only for sums: a value that was not measured is `None`.
    pub const ZERO: Self = Self(0);

    /// The amount in joules, for display.
    pub fn joules(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// `self - other`, or `None` where that would be negative.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Mean power when this energy was used in `time`; `None` for no time.
    pub fn over(self, time: Nanos) -> Option<Watts> {
        (time.0 > 0).then(|| Watts(self.0 as f64 * 1e3 / time.0 as f64))
    }
}

/// A length of time in nanoseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// The length in seconds, for display.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// `self - other`, or zero where that would be negative.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl From<std::time::Duration> for Nanos {
    fn from(duration: std::time::Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Nanos> for std::time::Duration {
    fn from(nanos: Nanos) -> Self {
        Self::from_nanos(nanos.0)
    }
}

/// A point in time: nanoseconds on `CLOCK_MONOTONIC`, the clock of
/// `bpf_ktime_get_ns` and of every reading.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Time passed since `earlier`, or zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Nanos> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Nanos) -> Self {
        Self(self.0.saturating_add(rhs.0))
    }
}

/// Power in watts. Never used to keep accounts, only to turn time into energy and to
/// show means.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watts(pub f64);

impl Watts {
    /// Energy at this power during `time`, rounded to the nearest microjoule;
    /// zero for a power that is negative or not a number.
    pub fn during(self, time: Nanos) -> Microjoules {
        // W × ns = nJ, hence the division by 1e3.
        Microjoules((self.0 * time.0 as f64 / 1e3).round().max(0.0) as u64)
    }
}

macro_rules! sums {
    ($($unit:ident),*) => {$(
        impl Add for $unit {
            type Output = Self;
            fn add(self, rhs: Self) -> Self {
                Self(self.0.saturating_add(rhs.0))
            }
        }
        impl AddAssign for $unit {
            fn add_assign(&mut self, rhs: Self) {
                *self = *self + rhs;
            }
        }
        impl Sum for $unit {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self(0), Add::add)
            }
        }
        impl<'a> Sum<&'a Self> for $unit {
            fn sum<I: Iterator<Item = &'a Self>>(iter: I) -> Self {
                iter.copied().sum()
            }
        }
    )*};
}
sums!(Microjoules, Nanos);

impl fmt::Display for Microjoules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} µJ", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_watt_for_one_second_is_one_million_microjoules() {
        let second = Nanos(1_000_000_000);
        assert_eq!(Watts(1.0).during(second), Microjoules(1_000_000));
        assert_eq!(Microjoules(1_000_000).over(second), Some(Watts(1.0)));
    }

    #[test]
    fn no_time_has_no_power() {
        assert_eq!(Microjoules(5).over(Nanos::ZERO), None);
    }

    #[test]
    fn unphysical_power_gives_no_energy() {
        assert_eq!(Watts(-3.0).during(Nanos(1_000_000_000)), Microjoules::ZERO);
        assert_eq!(Watts(f64::NAN).during(Nanos(1)), Microjoules::ZERO);
    }
}
