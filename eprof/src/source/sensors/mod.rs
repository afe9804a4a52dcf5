//! Sensors, a file for each kind: how its meters are found and read.

pub mod battery;
pub mod discovery;
pub mod estimate;
pub mod file_source;
pub mod hwmon;
pub mod perf_event;
pub mod perf_power;
pub mod perf_source;
pub mod plausible;
pub mod powercap;
pub mod sensor;

pub use sensor::{Found, Sensor, Surroundings};

use crate::measurement::SourceKind;

/// One sensor of each kind, in the order in which they are preferred: the perf
/// PMU has the lowest latency and never wraps; powercap has the same counters;
/// hwmon, battery and the estimate follow by how much they say.
pub static SENSORS: [&dyn Sensor; SourceKind::ALL.len()] = [
    &perf_power::PerfPower,
    &powercap::Powercap,
    &hwmon::Hwmon,
    &battery::Battery,
    &estimate::Estimate,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_sensor_in_the_list() {
        for kind in SourceKind::ALL {
            let sensors = SENSORS.iter().filter(|sensor| sensor.kind() == kind);
            assert_eq!(sensors.count(), 1, "SENSORS has one sensor of {kind:?}");
        }
    }
}
