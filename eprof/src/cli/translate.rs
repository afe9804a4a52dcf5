//! From the words of the command line to those of the rooms.

use super::args::{ShortFormat, Weights};
use crate::{attribute, output};

impl From<ShortFormat> for output::Format {
    fn from(format: ShortFormat) -> Self {
        match format {
            ShortFormat::Table => Self::Table,
            ShortFormat::Json => Self::Json,
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
