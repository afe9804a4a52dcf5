//! From the words of the command line to those of the rooms.

use super::args::{By, Format, ShortFormat, Sort, SourceChoice, Weights};
use crate::source::{Choice, SourceKind};
use crate::{attribute, output};

impl From<Format> for output::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Table => Self::Table,
            Format::Json => Self::Json,
            Format::Csv => Self::Csv,
        }
    }
}

impl From<ShortFormat> for output::Format {
    fn from(format: ShortFormat) -> Self {
        match format {
            ShortFormat::Table => Self::Table,
            ShortFormat::Json => Self::Json,
        }
    }
}

impl From<By> for output::By {
    fn from(by: By) -> Self {
        match by {
            By::Thread => Self::Thread,
            By::Process => Self::Process,
            By::Command => Self::Command,
            By::Function => Self::Function,
            By::Module => Self::Module,
            By::Cpu => Self::Cpu,
        }
    }
}

impl From<Sort> for output::Sort {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Energy => Self::Energy,
            Sort::Marginal => Self::Marginal,
            Sort::Total => Self::Total,
            Sort::Cpu => Self::Cpu,
            Sort::Samples => Self::Samples,
            Sort::Name => Self::Name,
        }
    }
}

impl From<SourceChoice> for Choice {
    fn from(choice: SourceChoice) -> Self {
        match choice {
            SourceChoice::Auto => Self::Auto,
            SourceChoice::Perf => Self::Kind(SourceKind::Perf),
            SourceChoice::Powercap => Self::Kind(SourceKind::Powercap),
            SourceChoice::Hwmon => Self::Kind(SourceKind::Hwmon),
            SourceChoice::Battery => Self::Kind(SourceKind::Battery),
            SourceChoice::Model => Self::Kind(SourceKind::Model),
        }
    }
}

impl From<Weights> for attribute::Weights {
    fn from(weights: Weights) -> Self {
        match weights {
            Weights::Auto => Self::Auto,
            Weights::Time => Self::Time,
            Weights::Cycles => Self::Cycles,
        }
    }
}
