//! Which of the sensors that were found are used, and for what.

pub mod candidate;
pub mod choice;
pub mod coverage;
pub mod cpu_groups;
pub mod domains;
pub mod mirror;
pub mod select;
pub mod verify;
