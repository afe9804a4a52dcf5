//! What a power model is made of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::shape::Shape;
use crate::error::{Error, ErrorKind};
use crate::measurement::{Counter, MeterId, Signals};
use crate::unit::Watts;

/// Something that is counted per slice and may cost energy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// Time on a CPU of this core type (`""` where all are alike) while its
    /// SMT sibling was idle (or there was none), ns.
    Time(String),
    /// Time on a CPU while its SMT sibling was busy too, ns.
    Crowded,
    /// Events of a hardware counter.
    Count(Counter),
    /// How often a thread went to sleep, which is how often it was woken.
    Wakeups,
    /// How often a thread ran on another CPU than the last time.
    Migrations,
}

impl Signal {
    /// As it is called in outputs.
    pub fn name(&self) -> String {
        match self {
            Self::Time(core) if core.is_empty() => "time".to_owned(),
            Self::Time(core) => format!("time:{core}"),
            Self::Crowded => "crowded".to_owned(),
            Self::Count(counter) => counter.name().to_owned(),
            Self::Wakeups => "wakeups".to_owned(),
            Self::Migrations => "migrations".to_owned(),
        }
    }

    /// The time of [`Signal::Time`] on the own type of core, in nanoseconds.
    pub fn time_alone(signals: &Signals) -> u64 {
        signals.on_cpu.0.saturating_sub(signals.smt_shared.0)
    }

    /// What `signals`, of a slice on a CPU of type `core`, say of this signal.
    pub fn of(&self, signals: &Signals, core: &str) -> u64 {
        match self {
            Self::Time(of) if of == core => Self::time_alone(signals),
            Self::Time(_) => 0,
            Self::Crowded => signals.smt_shared.0.min(signals.on_cpu.0),
            Self::Count(counter) => signals.counts[*counter as usize],
            Self::Wakeups => signals.wakeups.into(),
            Self::Migrations => signals.migrations.into(),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(core) if core.is_empty() => f.write_str("time"),
            Self::Time(core) => write!(f, "time:{core}"),
            Self::Crowded => f.write_str("crowded"),
            Self::Count(counter) => f.write_str(counter.name()),
            Self::Wakeups => f.write_str("wakeups"),
            Self::Migrations => f.write_str("migrations"),
        }
    }
}

impl FromStr for Signal {
    type Err = Error;

    /// The inverse of `Display`: `time`, `time:cpu_atom`, `cycles`, ….
    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(core) = text.strip_prefix("time:") {
            return Ok(Self::Time(core.to_owned()));
        }
        let counter = Counter::ALL.into_iter().find(|one| one.name() == text);
        match (text, counter) {
            ("time", _) => Ok(Self::Time(String::new())),
            ("crowded", _) => Ok(Self::Crowded),
            ("wakeups", _) => Ok(Self::Wakeups),
            ("migrations", _) => Ok(Self::Migrations),
            (_, Some(counter)) => Ok(Self::Count(counter)),
            _ => Err(
                Error::new(ErrorKind::Usage, format!("there is no signal “{text}”")).hint(
                    "one of: time, crowded, cycles, reference-cycles, instructions, \
                     cache-misses, wakeups, migrations",
                ),
            ),
        }
    }
}

/// A term of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// Of what.
    pub signal: Signal,
    /// In which way.
    pub shape: Shape,
    /// Watts per unit of the shaped rate (for [`Shape::Linear`]: joules per
    /// unit of the signal). Never negative.
    pub weight: f64,
}

/// The power above idle of one meter's domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PowerModel {
    /// Which meter.
    pub meter: MeterId,
    /// The terms; their sum is the power in watts.
    pub terms: Vec<Term>,
    /// Covariance of the weights, row by row.
    pub covariance: Vec<f64>,
    /// Standard deviation of the relative error on workloads that the model
    /// was not fitted to.
    pub residual: f64,
    /// Where it comes from: `calibration`.
    pub origin: String,
}

impl PowerModel {
    /// The power above idle at these rates (per second, of the whole domain).
    pub fn predict(&self, mut rate: impl FnMut(&Signal) -> f64) -> Watts {
        let power = |term: &Term| term.weight * term.shape.of(rate(&term.signal));
        Watts(self.terms.iter().map(power).sum())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in [
            "time",
            "time:cpu_atom",
            "crowded",
            "cycles",
            "reference-cycles",
            "instructions",
            "cache-misses",
            "wakeups",
            "migrations",
        ] {
            assert_eq!(name.parse::<Signal>().unwrap().to_string(), name);
        }
        assert!("joules".parse::<Signal>().is_err());
    }
}
