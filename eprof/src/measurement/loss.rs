//! What was lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything that was lost, by reason; names in kebab-case, e.g.
/// `ring-full`, `slots-full`, `user-stack-failed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Loss(pub BTreeMap<String, u64>);

impl Loss {
    /// Counts `n` more losses for `reason`; nothing is stored for zero.
    pub fn count(&mut self, reason: &str, n: u64) {
        if n > 0 {
            let count = self.0.entry(reason.to_owned()).or_default();
            *count = count.saturating_add(n);
        }
    }
}
