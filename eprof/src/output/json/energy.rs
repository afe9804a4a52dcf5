//! The energy of any row.

use serde::Serialize;

/// Microjoules; `None` where they are not known.
#[derive(Clone, Copy, Serialize)]
pub(super) struct EnergyValue {
    pub(super) uj: Option<u64>,
    pub(super) marginal_uj: Option<u64>,
    pub(super) ci90_uj: Option<u64>,
}
