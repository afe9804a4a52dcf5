//! Mean power between two readings, without a recording around them.

use crate::measurement::{Meter, Reading};
use crate::unit::Watts;

use super::counter::Ruler;

/// Mean power between two readings of `meter` that follow each other, by the
/// same rules as in a recording.
///
/// `None` for an impossible power, for a value that went the wrong way or may
/// have wrapped more than once, and for a model, which has no readings. A
/// register that did not move is zero watts.
pub fn mean_power(meter: &Meter, before: &Reading, now: &Reading) -> Option<Watts> {
    Ruler::new(meter)?.mean_power(before, now)
}
