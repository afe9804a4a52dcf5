//! The clock of a meter's updates: when its register was written, and when it
//! will be next.

pub mod clock;
pub mod clocks;
mod line;
mod truncated;
