//! Meters that selection still chooses from.

use super::energy_source::EnergySource;
use crate::measurement::Meter;

/// A source whose meters can still be chosen from: what selection works on.
pub trait Backend: EnergySource + Send {
    /// Keeps some of the meters: for each one, in order, its final
    /// description, or `None` to drop it. Ids must equal the new positions.
    fn keep(&mut self, meters: Vec<Option<Meter>>);
}
