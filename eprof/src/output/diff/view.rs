//! What is shown of a comparison, and how.

use clap::ValueEnum;

use crate::diff::{By, Difference};

/// How a comparison is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people
    #[default]
    Table,
    /// `eprof-diff/1`
    Json,
    /// For a pull request
    Markdown,
}

/// Which rows are shown, and how many of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiffView {
    /// One kind of rows; `None`: an overview.
    pub by: Option<By>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl DiffView {
    /// Rows of an overview, and of a single table, unless told otherwise.
    const ROWS: (usize, usize) = (10, 30);

    pub(super) fn limit(&self) -> usize {
        let (few, many) = Self::ROWS;
        self.limit
            .unwrap_or(if self.by.is_some() { many } else { few })
    }

    /// The kinds of rows that are shown of a comparison.
    pub(super) fn kinds(&self, difference: &Difference) -> Vec<By> {
        if let Some(by) = self.by {
            return vec![by];
        }
        let several = |by: By| {
            difference
                .table(by)
                .is_some_and(|table| table.rows.len() > 1)
        };
        let kinds = [By::Command, By::Thread, By::Function];
        kinds.into_iter().filter(|by| several(*by)).collect()
    }
}
