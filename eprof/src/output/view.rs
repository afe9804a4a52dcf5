//! What part of a profile is asked for.

use clap::ValueEnum;

use crate::error::{Error, ErrorKind, Result};

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// `eprof-report/1`.
    Json,
    /// RFC 4180.
    Csv,
}

/// How a result of one table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// What the rows of a breakdown are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// One row per task instance of a thread.
    Thread,
    /// One row per task instance of a process.
    Process,
    /// One row per name of processes. Not in JSON, which has every process.
    Command,
    /// One row per function.
    Function,
    /// One row per object file.
    Module,
    /// One row per CPU.
    Cpu,
}

impl By {
    /// What the rows are called.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Thread => "threads",
            Self::Process => "processes",
            Self::Command => "commands",
            Self::Function => "functions",
            Self::Module => "modules",
            Self::Cpu => "cpus",
        }
    }
}

/// What rows are ordered by; names ascend, everything else descends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Energy with the share of the idle cost (of functions: their own).
    #[default]
    Energy,
    /// Energy above idle.
    AboveIdle,
    /// Energy including callees.
    Total,
    /// CPU time.
    Cpu,
    /// Number of stack samples.
    Samples,
    /// Name.
    Name,
}

/// Which rows, in which order, and how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// One breakdown; `None` is the summary (in CSV: processes).
    pub by: Option<By>,
    /// Order; `None` is by energy.
    pub sort: Option<Sort>,
    /// At most this many rows of a kind. What is left out is summed up in a
    /// last row (in JSON: in `omitted`). `None` is all rows in JSON and CSV,
    /// and [`View::TABLE_ROWS`] in a table.
    pub limit: Option<usize>,
}

impl View {
    /// Rows per table unless told otherwise: (of the summary, of a breakdown).
    pub const TABLE_ROWS: (usize, usize) = (10, 30);

    /// Refuses an order that the rows do not have.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`], with the orders that there are.
    pub fn check(&self) -> Result<()> {
        let (Some(by), Some(sort)) = (self.by, self.sort) else {
            return Ok(());
        };
        let (missing, there) = match (by, sort) {
            (By::Function | By::Module, Sort::Cpu) => {
                ("CPU time", "energy, above-idle, samples or name")
            }
            (By::Thread | By::Process | By::Command | By::Module | By::Cpu, Sort::Total) => (
                "energy of callees",
                "energy, above-idle or name (only functions have a total)",
            ),
            (By::Cpu, Sort::Samples) => ("number of samples", "energy, above-idle, cpu or name"),
            _ => return Ok(()),
        };
        Err(Error::new(
            ErrorKind::Usage,
            format!("{} have no {missing} to be sorted by", by.plural()),
        )
        .hint(format!("sort them by {there}")))
    }
}
