//! Everything that makes a number less true, in one list.
//!
//! A caveat is data: it is recorded, shown under the table, and part of the
//! JSON report.

use serde::{Deserialize, Serialize};

/// One thing the reader of a number must know, with a hint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Caveat {
    /// A stable, machine-readable name in kebab-case, e.g. `counter-stalled`.
    pub code: String,
    /// One sentence that says what happened, with its numbers.
    pub sentence: String,
    /// What the user can do about it, where there is something.
    pub hint: Option<String>,
}

impl Caveat {
    /// A caveat without a hint.
    pub fn new(code: &str, sentence: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            sentence: sentence.into(),
            hint: None,
        }
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
