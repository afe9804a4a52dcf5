//! All meters' ways through a recording.

use crate::caveat::Caveat;
use crate::recording::{Header, IntervalRecord};

use super::interval::Interval;
use super::track::Track;

/// What makes the readings of the meters less true.
pub type Caveats = Vec<Caveat>;

/// All meters' ways through one recording.
///
/// Needs memory for one span per meter, whatever the length of the run.
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

    /// Takes the next record and returns the spans that it completes, in the
    /// order of the meters, those of one meter in the order of time.
    ///
    /// A meter whose reading is missing, or shows that the register was not
    /// updated, completes nothing: its next good reading will give the energy
    /// of the longer span. A dated reading completes the span before the one
    /// that it ends.
    pub fn push(&mut self, record: &IntervalRecord) -> Vec<Interval> {
        let tracks = self.tracks.iter_mut();
        tracks.flat_map(|track| track.push(record)).collect()
    }

    /// The spans that no reading completed, with unknown energy (those of a
    /// meter that never moved among them), and the caveats about the meters.
    pub fn finish(self) -> (Vec<Interval>, Caveats) {
        let mut left = Vec::new();
        let mut caveats = Caveats::new();
        for track in self.tracks {
            let (intervals, of_meter) = track.finish();
            left.extend(intervals);
            caveats.extend(of_meter);
        }
        (left, caveats)
    }
}
