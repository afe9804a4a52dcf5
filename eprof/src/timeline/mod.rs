//! The timeline: raw readings become energies of intervals.
//!
//! Pure. This is where a wrapped, stalled, missing or backwards counter and an
//! impossible power are recognised; none of them ever becomes joules.

mod counter;
mod dated;
mod health;
mod interval;
pub mod live;
mod mean_power;
mod model;
mod scale;
mod span;
#[cfg(test)]
mod tests;
mod track;
mod tracks;

pub use interval::{BoundaryError, Interval};
pub use live::LiveStatus;
pub use mean_power::mean_power;
pub use tracks::{Caveats, Timeline};
