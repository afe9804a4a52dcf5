//! Energy sources: where readings come from.
//!
//! A source knows nothing of threads and nothing of the kernel programs. It
//! finds meters, says what each covers, and reads raw values, each stamped on
//! `CLOCK_MONOTONIC` around the read. What a raw value means in joules is
//! decided later, in [`crate::timeline`], from the [`Meter`]'s description,
//! so that a recording can be interpreted again.
//!
//! A new kind of sensor is one file here and one line in [`mod@select`].
//!
//! ```text
//! discover (per kind) ─► open ─► verify (does it move?) ─► domains (who
//! contains whom) ─► select (first good kind) ─► Selected
//! ```

pub mod selection;
pub mod sensors;
pub mod update_clock;

pub use selection::candidate::{Candidate, MeterNote};
pub use selection::select::{Choice, Selected, select, survey};
pub use selection::verify::Probe;
pub use update_clock::clocks::UpdateClocks;

use crate::error::Result;
use crate::measurement::{Meter, Reading};

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

/// A source whose meters can still be chosen from: what selection works on.
pub trait Backend: EnergySource + Send {
    /// Settles the meters: for each one, in order, its final description, or
    /// `None` to drop it. Ids must equal the new positions.
    fn narrow(&mut self, fate: Vec<Option<Meter>>);
}
