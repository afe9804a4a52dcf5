//! A whole recording in memory.

use std::io::Read;

use crate::error::Result;

use super::catalog::Catalog;
use super::read::Reader;
use super::record::IntervalRecord;

/// A whole recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Everything but the intervals.
    pub catalog: Catalog,
    /// The intervals, in order of time.
    pub intervals: Vec<IntervalRecord>,
}

impl Recording {
    /// Reads a whole recording into memory.
    ///
    /// # Errors
    ///
    /// As [`RecordingFile::open`](super::RecordingFile::open); sentences begin with a verb.
    pub fn load(input: impl Read, length: Option<u64>) -> Result<Self> {
        let mut intervals = Vec::new();
        let mut reader = Reader::new(input, length)?;
        let catalog = Catalog::read(&mut reader, |interval| intervals.push(interval))?;
        Ok(Self { catalog, intervals })
    }
}
