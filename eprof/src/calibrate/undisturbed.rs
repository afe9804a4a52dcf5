//! Idle power from windows in which a little ran after all: eprof itself, and
//! the kernel's housekeeping. What that costs is known once there is a model.

use super::findings::Model;
use super::measurement::Block;
use crate::idle::watch;
use crate::measurement::Meter;
use crate::statistics::median_and_deviation;

/// A register has at least so many updates in a window, or its windows say
/// more of the updates than of the power.
const UPDATES: f64 = 8.0;

/// Idle power of `meter`, in position `position` of the blocks, and its standard
/// deviation, in watts: the median and the spread of the windows' powers less
/// what the model asks for what ran in them. `None` where the windows are too
/// few or too short.
pub fn power(
    windows: &[Block],
    position: usize,
    meter: &Meter,
    model: &Model,
) -> Option<(f64, f64)> {
    let mut powers = Vec::with_capacity(windows.len());
    let mut observed = 0.0;
    for block in windows {
        if let Some(Some(watts)) = block.watts.get(position)
            && meter.update_period.seconds() * UPDATES <= block.seconds
        {
            powers.push(watts - model.active(|signal| block.rate(position, signal)));
            observed += block.seconds;
        }
    }
    let (middle, spread) = median_and_deviation(&powers)?;
    // A domain that uses next to nothing may come out below it.
    let power = middle.max(0.0);
    // Nothing is known better than to one update of the register.
    let update = power * meter.update_period.seconds() / observed;
    (powers.len() >= watch::FEWEST && power.is_finite()).then_some((power, spread.max(update)))
}
