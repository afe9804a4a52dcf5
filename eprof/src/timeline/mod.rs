//! The timeline: raw readings become energies of spans of time.
//!
//! The room is pure. It recognises a counter that wrapped, stood still, went
//! backwards or was not read, and an impossible power; none of them ever
//! becomes joules.
//!
//! ```text
//!   IntervalRecord ─► Timeline ─► Track (one per meter) ─► Interval
//!                                   ├─ counter: what two readings mean
//!                                   ├─ dated:   energy at a boundary, where updates are dated
//!                                   ├─ span:    what ran since the last good reading
//!                                   └─ health:  what went wrong
//! ```

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
