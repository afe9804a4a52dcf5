//! Energy flamegraphs.

pub(super) mod decorate;
pub mod flame;
pub(super) mod frames;
pub(super) mod palette;
