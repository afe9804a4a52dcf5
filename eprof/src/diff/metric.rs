//! What is compared.

use std::fmt;

use clap::ValueEnum;

/// How many metrics there are.
pub(super) const METRICS: usize = 3;

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
    /// All of them.
    pub const ALL: [Self; METRICS] = [Self::Energy, Self::CpuTime, Self::Instructions];

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
