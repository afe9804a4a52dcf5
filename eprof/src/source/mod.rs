//! Energy sources: where readings come from.
//!
//! A source knows nothing of threads and nothing of the kernel programs. It
//! finds meters, says what each covers, and reads raw values, each stamped on
//! `CLOCK_MONOTONIC` around the read. What a raw value means in joules is
//! decided later, in [`crate::timeline`], from the description of its
//! [`Meter`](crate::measurement::Meter), so that a recording can be
//! interpreted again.
//!
//! A new kind of sensor is a file in [`sensors`], its place in
//! [`sensors::SENSORS`], and its
//! [`SourceKind`](crate::measurement::SourceKind).
//!
//! ```text
//! discover (per sensor) ─► verify (does it move?) ─► domains (who contains
//! whom) ─► select (the first good sensor) ─► Selected
//! ```

mod backend;
mod energy_source;
pub mod selection;
pub mod sensors;
pub mod update_clock;

pub use backend::Backend;
pub use energy_source::EnergySource;
pub use selection::candidate::{Candidate, MeterNote};
pub use selection::choice::Choice;
pub use selection::select::{Selected, candidates, select};
pub use selection::verify::Probe;
pub use update_clock::clocks::UpdateClocks;
