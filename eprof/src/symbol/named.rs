//! A frame with its names.

use crate::measurement::{Lines, Symbol};

/// The functions of a frame, and where they are in the source.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) symbol: Symbol,
    pub(super) lines: Option<Lines>,
}
