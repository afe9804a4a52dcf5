//! The timeline: raw readings become energies of intervals.
//!
//! Pure. This is where a wrapped, stalled, missing or backwards counter and an
//! impossible power are recognised; none of them ever becomes joules.

mod counter;
mod dated;
mod health;
pub mod live;
mod model;
mod scale;
mod span;
#[cfg(test)]
mod tests;
mod track;

pub use live::LiveStatus;

use crate::caveat::Caveat;
use crate::measurement::{CpuAccount, MeterId, ThreadAccount};
use crate::recording::{Header, IntervalRecord, SampleCount};
use crate::unit::{Microjoules, Timestamp};

use track::Track;

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
    /// How sure the border at its end is.
    pub boundary: BoundaryError,
    /// What the CPUs did in it.
    pub cpus: Vec<CpuAccount>,
    /// What the target's threads did in it.
    pub threads: Vec<ThreadAccount>,
    /// The samples taken in it.
    pub samples: Vec<SampleCount>,
}

/// The energy that a meter books on the later side of a border between two
/// stretches although it was used on the earlier one, because the register is
/// updated at its own times. Microjoules.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BoundaryError {
    /// What is to be expected.
    pub mean: f64,
    /// Its standard deviation.
    pub sd: f64,
}

/// What the timeline had to say about the meters.
pub type Caveats = Vec<Caveat>;

/// All meters' ways through one recording.
///
/// Needs memory for one stretch per meter, whatever the length of the run.
#[derive(Clone, Debug)]
pub struct Timeline {
    tracks: Vec<Track>,
}

impl Timeline {
    /// The timeline of the recording that starts with `header`.
    pub fn new(header: &Header) -> Self {
        let meters = header.meters.iter();
        Self {
            tracks: meters.map(|meter| Track::new(meter, header)).collect(),
        }
    }

    /// Takes the next record and returns the stretches that it settles, in the
    /// order of the meters, those of one meter in the order of time.
    ///
    /// A meter whose reading is missing, or shows that the register was not
    /// updated, settles nothing: its next good reading will tell the energy
    /// of the longer stretch. A dated reading settles the stretch before the
    /// one that it ends.
    pub fn push(&mut self, record: &IntervalRecord) -> Vec<Interval> {
        let tracks = self.tracks.iter_mut();
        tracks.flat_map(|track| track.push(record)).collect()
    }

    /// What no reading settled, with unknown energy (a meter that never moved
    /// among it), and what has to be said about the meters.
    pub fn finish(self) -> (Vec<Interval>, Caveats) {
        let mut left = Vec::new();
        let mut caveats = Caveats::new();
        for track in self.tracks {
            let (interval, said) = track.finish();
            left.extend(interval);
            caveats.extend(said);
        }
        (left, caveats)
    }
}
