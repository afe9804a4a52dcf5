//! What is reported of a run.

use serde::Serialize;

use super::run::Run;

/// What is reported of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Energy of the target, J.
    Energy,
    /// The same above idle, J.
    AboveIdle,
    /// How long it ran, s.
    Time,
    /// Mean power, W.
    Power,
    /// Energy times time, J·s.
    EnergyDelay,
}

impl Measure {
    /// All, in the order of reports.
    pub const ALL: [Self; 5] = [
        Self::Energy,
        Self::AboveIdle,
        Self::Time,
        Self::Power,
        Self::EnergyDelay,
    ];

    /// Those by which commands are compared. (Less power is not better where
    /// it takes longer.)
    pub const COMPARED: [Self; 3] = [Self::Energy, Self::Time, Self::EnergyDelay];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::AboveIdle => "above idle",
            Self::Time => "time",
            Self::Power => "power",
            Self::EnergyDelay => "energy × time",
        }
    }

    /// The unit.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Energy | Self::AboveIdle => "J",
            Self::Time => "s",
            Self::Power => "W",
            Self::EnergyDelay => "Js",
        }
    }

    /// Whether it has joules in it, and so may be an estimate.
    pub fn is_energy(self) -> bool {
        self != Self::Time
    }

    /// What `run` gave; `None` where that is not known.
    pub fn of(self, run: &Run) -> Option<f64> {
        match self {
            Self::Energy => run.joules(),
            Self::AboveIdle => run.above_idle.map(|energy| energy.joules()),
            Self::Time => Some(run.time.seconds()),
            Self::Power => run.watts(),
            Self::EnergyDelay => run.energy_delay(),
        }
    }
}
