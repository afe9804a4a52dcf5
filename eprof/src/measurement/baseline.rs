//! The power of a domain in which nothing runs.

use serde::{Deserialize, Serialize};

use super::MeterId;
use crate::unit::Watts;

/// The power of a meter's domain when nothing runs, and how it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Which meter.
    pub meter: MeterId,
    /// Its idle power.
    pub power: Watts,
    /// Standard deviation of `power`.
    pub sd: Watts,
    /// Where it comes from: `option`, `calibration`, `before-run`, `model`.
    pub origin: String,
}
