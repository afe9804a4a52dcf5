//! Sensors, a file for each kind: how its meters are found and read.

pub mod battery;
pub mod estimate;
pub mod file_source;
pub mod hwmon;
pub mod perf_power;
pub mod perf_source;
pub mod powercap;
