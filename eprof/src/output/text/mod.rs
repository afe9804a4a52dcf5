//! What people read on a terminal.

pub mod calibration;
pub mod doctor;
pub(super) mod footer;
pub(super) mod grid;
pub(super) mod header;
pub(super) mod ledger;
pub mod meters;
pub mod progress;
pub(super) mod runs;
mod signals;
pub mod style;
pub mod table;
