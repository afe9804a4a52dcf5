//! The kernel side for real, as root, against what the system itself says.
mod accounts;
mod bench;
mod boundaries;
mod hotplug;
mod limits;
mod refused;
mod samples;
mod signals;
mod tasks;
