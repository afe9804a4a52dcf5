//! Meters that are read together.

use crate::error::Result;
use crate::measurement::{Meter, Reading};

/// A set of meters of one kind that are read together.
pub trait EnergySource {
    /// The meters, in a fixed order; `Meter::id` is the position in the
    /// recording, which [`crate::source::select`] sets.
    fn meters(&self) -> &[Meter];

    /// Reads every meter once. A meter that cannot be read now is missing
    /// from the answer ("missing beats wrong").
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Unavailable`] where the whole source is
    /// gone.
    fn read(&mut self) -> Result<Vec<Reading>>;
}
