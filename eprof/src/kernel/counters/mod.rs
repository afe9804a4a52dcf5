//! Hardware counters: which there are, and which are healthy.

pub mod counting;
pub mod health;
pub(super) mod pmu;
