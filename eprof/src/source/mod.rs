//! Energy sources: where readings come from.
//!
//! A source knows nothing of threads and nothing of the kernel programs. It
//! finds meters, says what each covers, and reads raw values, each stamped on
//! `CLOCK_MONOTONIC` around the read. What a raw value means in joules is
//! decided later, in [`crate::timeline`], from the [`Meter`]'s description,
//! so that a recording can be interpreted again.

pub mod meter;

pub use meter::{Domain, Meter, MeterId, Provenance, Quantity, Reading, Scope, SourceKind};

use crate::error::Result;

/// A set of meters of one kind that are read together.
pub trait EnergySource {
    /// The meters, in a fixed order; `Meter::id` is the position in the
    /// recording, set by [`crate::source`]'s selection.
    fn meters(&self) -> &[Meter];

    /// Reads every meter once. A meter that cannot be read now is missing
    /// from the answer ("missing beats wrong"); an error means that the whole
    /// source is gone.
    fn read(&mut self) -> Result<Vec<Reading>>;
}
