//! The timeline: raw readings become energies of intervals.
//!
//! Pure. This is where a wrapped, stalled, missing or backwards counter and an
//! impossible power are recognised; none of them ever becomes joules.

use crate::caveat::Caveat;
use crate::kernel::{CpuAccount, ThreadAccount};
use crate::recording::SampleCount;
use crate::source::MeterId;
use crate::unit::{Microjoules, Timestamp};

/// What one meter says about a stretch of time, with the activity to which
/// the energy is to be charged.
///
/// Usually the stretch is one recorded interval; where a reading was missing
/// or refused, it spans all intervals up to the next good one, so that no
/// energy is lost and none is invented.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// The meter.
    pub meter: MeterId,
    /// When the stretch began.
    pub begin: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// The energy used in it; `None` where it is unknown, for good.
    pub energy: Option<Microjoules>,
    /// Standard deviation, in microjoules, of the energy that may belong to
    /// the neighbouring stretch instead, because the register is updated at
    /// its own times (one border).
    pub border_sd_uj: f64,
    /// What the CPUs did in it.
    pub cpus: Vec<CpuAccount>,
    /// What the target's threads did in it.
    pub threads: Vec<ThreadAccount>,
    /// The samples taken in it.
    pub samples: Vec<SampleCount>,
}

/// What the timeline had to say about the meters.
pub type Caveats = Vec<Caveat>;
