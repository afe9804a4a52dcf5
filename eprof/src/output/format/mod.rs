//! How a value is written: energy, numbers, names of others.

pub(super) mod energy;
pub(super) mod number;
pub(super) mod sanitize;
