//! What a meter is and what one reading of it looks like.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::unit::{Nanos, Timestamp, Watts};

/// The part of the machine whose energy a meter counts.
///
/// Nesting, after the Intel SDM vol. 3B, 16.10: core and uncore are inside
/// package; psys is (at least) all packages and DRAM. Nested domains are
/// never added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// A processor package (or die).
    Package,
    /// The cores of a package (PP0), or one core (AMD).
    Core,
    /// The uncore graphics of a package (PP1).
    Uncore,
    /// The memory attached to a package.
    Dram,
    /// The whole platform, as the firmware understands it.
    Psys,
}

impl Domain {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Core => "core",
            Self::Uncore => "uncore",
            Self::Dram => "dram",
            Self::Psys => "psys",
        }
    }
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// Read from a meter.
    Measured,
    /// A share of something measured.
    Attributed,
    /// Computed from a model, without any meter.
    Estimated,
}

impl Provenance {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Attributed => "attributed",
            Self::Estimated => "estimated",
        }
    }
}

/// The family of interfaces a meter belongs to.
///
/// What is said of each is also the help of `--source`. A recording holds the
/// position in this list, so that a new kind comes last.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// The kernel's power PMU (RAPL).
    Perf,
    /// /sys/class/powercap (RAPL).
    Powercap,
    /// /sys/class/hwmon sensors.
    Hwmon,
    /// A discharging battery: coarse.
    Battery,
    /// An estimate from CPU time.
    Model,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Perf,
        Self::Powercap,
        Self::Hwmon,
        Self::Battery,
        Self::Model,
    ];

    /// The name in reports and of the `--source` option.
    pub fn name(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::Powercap => "powercap",
            Self::Hwmon => "hwmon",
            Self::Battery => "battery",
            Self::Model => "model",
        }
    }
}

/// Which CPUs' activity a meter's energy answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All CPUs.
    Machine,
    /// The CPUs of one package, by `physical_package_id`.
    Package(u32),
    /// The CPUs of one die of a package.
    Die {
        /// `physical_package_id`
        package: u32,
        /// `die_id`
        die: u32,
    },
    /// The CPUs of one physical core.
    Core {
        /// `physical_package_id`
        package: u32,
        /// `core_id`
        core: u32,
    },
}

/// What a raw value is and how it turns into energy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantity {
    /// A cumulative energy counter.
    Counter {
        /// Microjoules per count.
        unit_uj: f64,
        /// Counts after which it starts again at zero (largest value plus one
        /// hardware unit); `None` when the kernel extends it to 64 bits.
        modulus: Option<u64>,
    },
    /// An energy store that goes *down* as energy is used (a battery).
    Falling {
        /// Microjoules per count.
        unit_uj: f64,
    },
    /// Instantaneous power, integrated between readings by the trapezoid rule.
    Power {
        /// Watts per count.
        unit_w: f64,
    },
    /// Not a sensor: package power from CPU time, linear between two points.
    Model {
        /// Watts of one CPU that is idle.
        idle_w: f64,
        /// Watts of one CPU that is busy.
        busy_w: f64,
        /// The true value is expected within `low × estimate` and
        /// `high × estimate` in 90 % of cases.
        low: f64,
        /// See `low`.
        high: f64,
    },
}

/// The position of a meter in the recording's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MeterId(pub u16);

/// One meter: what it counts, for which CPUs, and in which unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meter {
    /// Position in the recording's list.
    pub id: MeterId,
    /// The interface it is read through.
    pub kind: SourceKind,
    /// The name a user would look for, e.g. `power/energy-pkg/` or
    /// `intel-rapl:0`.
    pub name: String,
    /// What it counts.
    pub domain: Domain,
    /// Which CPUs it answers for.
    pub scope: Scope,
    /// The logical CPUs in `scope`, ascending.
    pub cpus: Vec<u32>,
    /// How a raw value turns into energy.
    pub quantity: Quantity,
    /// Whether it is measured or estimated.
    pub provenance: Provenance,
    /// Whether it overlaps other meters of the list (core, which is inside
    /// package; psys beside packages; anything else inside psys), so that it
    /// is shown but never added to a total.
    pub nested: bool,
    /// Nominal time between two updates of the hardware register.
    pub update_period: Nanos,
    /// More than this is not believed (a guard, not a limit of the hardware).
    /// Infinite for no limit.
    #[serde(with = "super::readable::unlimited")]
    pub plausible: Watts,
}

/// One raw value of one meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Which meter.
    pub meter: MeterId,
    /// The raw value, in the counts of the meter's [`Quantity`].
    pub raw: u64,
    /// Just before the read.
    pub begin: Timestamp,
    /// Just after the read.
    pub end: Timestamp,
    /// The update of the register that wrote this value, where it is known.
    pub updated: Option<UpdateTime>,
}

/// When a register was updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateTime {
    /// When.
    pub at: Timestamp,
    /// Standard deviation of `at`.
    pub sd: Nanos,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_are_in_the_list_by_their_names() {
        assert_eq!(SourceKind::ALL, SourceKind::value_variants());
        for kind in SourceKind::ALL {
            let value = kind.to_possible_value();
            assert!(value.is_some_and(|value| value.get_name() == kind.name()));
            assert_eq!(serde_json::json!(kind), kind.name());
        }
    }
}
