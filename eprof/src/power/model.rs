//! What a power model is made of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::shape::Shape;
use crate::error::{Error, ErrorKind};
use crate::measurement::{Counter, Event, EventUnit, MeterId, Signals};
use crate::unit::Watts;

/// Something that is counted per slice and may cost energy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Signal {
    /// Time on a CPU of this core type (`""` where all are alike) while its
    /// SMT sibling was idle (or there was none), ns.
    Time(String),
    /// Anything else: ns of time beside a busy sibling, or occurrences.
    Event(Event),
}

impl Signal {
    /// Time on a CPU while its SMT sibling was busy, too, ns.
    pub const SMT_SHARED: Self = Self::Event(Event::SmtShared);

    /// As it is called in outputs.
    pub fn name(&self) -> String {
        match self {
            Self::Time(core) if core.is_empty() => "time".to_owned(),
            Self::Time(core) => format!("time:{core}"),
            Self::Event(event) => event.name().to_owned(),
        }
    }

    /// Whether it is a part of CPU time.
    pub fn is_time(&self) -> bool {
        match self {
            Self::Time(_) => true,
            Self::Event(event) => event.unit() == EventUnit::Nanoseconds,
        }
    }

    /// Whether it is one of a hardware counter's.
    pub fn is_counted(&self) -> bool {
        matches!(self, Self::Event(Event::Counter(_)))
    }

    /// Whether a model may give `event` a weight. A switch is the end of a
    /// slice: what it costs is in wakeups and in time.
    pub fn may_cost(event: Event) -> bool {
        match event {
            Event::SmtShared | Event::Counter(_) | Event::Wakeups | Event::Migrations => true,
            Event::Switches => false,
        }
    }

    /// The time of [`Signal::Time`] on the own type of core, in nanoseconds.
    pub fn time_alone(signals: &Signals) -> u64 {
        signals.on_cpu.saturating_sub(signals.smt_shared()).0
    }

    /// What `signals`, of a slice on a CPU of type `core`, say of this signal.
    pub fn of(&self, signals: &Signals, core: &str) -> u64 {
        match self {
            Self::Time(of) if of == core => Self::time_alone(signals),
            Self::Time(_) => 0,
            // Taken from another CPU's accounts, so it may be a little more.
            Self::Event(Event::SmtShared) => signals.smt_shared().min(signals.on_cpu).0,
            Self::Event(event) => signals[*event],
        }
    }
}

impl From<Counter> for Signal {
    fn from(counter: Counter) -> Self {
        Self::Event(counter.into())
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal.name()
    }
}

impl TryFrom<String> for Signal {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl FromStr for Signal {
    type Err = Error;

    /// The inverse of `Display`: `time`, `time:cpu_atom`, `cycles`, ….
    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "time" {
            return Ok(Self::Time(String::new()));
        }
        if let Some(core) = text.strip_prefix("time:") {
            return Ok(Self::Time(core.to_owned()));
        }
        let event = Event::named(text).filter(|event| Self::may_cost(*event));
        event.map(Self::Event).ok_or_else(|| {
            let events = Event::ALL
                .into_iter()
                .filter(|event| Self::may_cost(*event));
            let names: Vec<&str> = events.map(Event::name).collect();
            Error::new(ErrorKind::Usage, format!("there is no signal “{text}”"))
                .hint(format!("one of: time, {}", names.join(", ")))
        })
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
            "smt-shared",
            "cycles",
            "reference-cycles",
            "instructions",
            "cache-misses",
            "wakeups",
            "migrations",
        ] {
            assert_eq!(name.parse::<Signal>().unwrap().to_string(), name);
        }
        for name in ["joules", "switches"] {
            assert!(name.parse::<Signal>().is_err());
        }
    }
}
