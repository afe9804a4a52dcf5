//! From the words of the command line to those of the rooms.

use super::args::{ShortFormat, SourceChoice, Weights};
use crate::measurement::SourceKind;
use crate::source::Choice;
use crate::{attribute, output};

impl From<ShortFormat> for output::Format {
    fn from(format: ShortFormat) -> Self {
        match format {
            ShortFormat::Table => Self::Table,
            ShortFormat::Json => Self::Json,
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
            Weights::Model => Self::Model,
        }
    }
}
