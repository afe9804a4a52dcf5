//! A frame with its names.

use serde::{Deserialize, Serialize};

use crate::measurement::{Lines, Symbol};

/// The functions of a frame, and where they are in the source.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) symbol: Symbol,
    pub(super) lines: Option<Lines>,
}
