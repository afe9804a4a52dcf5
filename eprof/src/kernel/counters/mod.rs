//! Hardware counters: which there are, and which can be trusted.

pub mod counting;
pub mod health;
pub(super) mod pmu;
