//! What is compared.

use std::fmt;

use clap::ValueEnum;

use super::side::Side;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MetricChoice {
    /// Energy where both sides measured it, else CPU time
    #[default]
    Auto,
    /// Energy, measured or estimated
    Energy,
    /// Time on CPUs
    CpuTime,
    /// Instructions, where they were counted
    Instructions,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Microjoules, with the share of the idle cost.
    Energy,
    /// Nanoseconds on CPUs.
    CpuTime,
    /// Instructions that were counted.
    Instructions,
}

impl Metric {
    /// The metric for a choice, and why it is not energy, where that was not
    /// asked for.
    pub fn choose(choice: MetricChoice, base: &Side, new: &Side) -> (Self, Option<&'static str>) {
        match choice {
            MetricChoice::Energy => (Self::Energy, None),
            MetricChoice::CpuTime => (Self::CpuTime, None),
            MetricChoice::Instructions => (Self::Instructions, None),
            MetricChoice::Auto if !base.energy || !new.energy => {
                (Self::CpuTime, Some("some run has no known energy"))
            }
            MetricChoice::Auto if base.estimated || new.estimated => (
                Self::CpuTime,
                Some("energy was not measured, only estimated from CPU time"),
            ),
            MetricChoice::Auto => (Self::Energy, None),
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::CpuTime => "cpu-time",
            Self::Instructions => "instructions",
        }
    }

    /// The unit of its values.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Energy => "µJ",
            Self::CpuTime => "ns",
            Self::Instructions => "instructions",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Energy => "energy",
            Self::CpuTime => "CPU time",
            Self::Instructions => "instructions",
        })
    }
}
