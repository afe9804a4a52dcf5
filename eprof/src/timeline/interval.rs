//! What comes out of the timeline: the energy of a span, and what ran in it.

use crate::measurement::{CpuAccount, MeterId, ThreadAccount};
use crate::recording::SampleCount;
use crate::unit::{Microjoules, Timestamp};

/// What one meter counted over a span of time, with the activity to which
/// the energy is to be charged.
///
/// Usually the span is one recorded interval; where a reading was missing
/// or refused, it spans all intervals up to the next good one, so that no
/// energy is lost and none is invented.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// The meter.
    pub meter: MeterId,
    /// When the span began.
    pub begin: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// The energy used in it; `None` where it is unknown, for good.
    pub energy: Option<Microjoules>,
    /// How sure the boundary at its end is.
    pub boundary: BoundaryError,
    /// What the CPUs did in it.
    pub cpus: Vec<CpuAccount>,
    /// What the target's threads did in it.
    pub threads: Vec<ThreadAccount>,
    /// The samples taken in it.
    pub samples: Vec<SampleCount>,
}

/// The energy that a meter books on the later side of a boundary between two
/// spans although it was used on the earlier one, because the register is
/// updated at its own times. Microjoules.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BoundaryError {
    /// What is to be expected.
    pub mean: f64,
    /// Its standard deviation.
    pub sd: f64,
}
