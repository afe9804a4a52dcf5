//! All meters' ways through a recording.

use crate::caveat::Caveat;
use crate::recording::{Header, IntervalRecord};

use super::interval::Interval;
use super::track::Track;

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
