//! Writing a recording: records pile up, and an interval's end makes them a
//! block.

use std::io::{self, Write};

use crate::error::{Error, ErrorKind, Result};

use super::check::Checker;
use super::compress::Compression;
use super::format::{
    BlockHead, FULL_BLOCK, MAGIC, MAX_BLOCK, MAX_RECORD, MAX_SAMPLES, MAX_THREADS, Part, VERSION,
};
use super::record::Record;
use super::{interval_header, samples};

/// Writes a recording, one block per [`flush`](Self::flush).
///
/// Each block is one `write` to `out`, so no buffer is needed in between.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    checker: Checker,
    /// What is not yet written, encoded.
    pending: Pending,
    compression: Compression,
    /// The parts of a block, compressed; kept for its capacity, as the block is.
    parts: Vec<u8>,
    /// A block as it goes into the file.
    block: Vec<u8>,
    /// The CRC of the last block.
    crc: u32,
    /// Whether a write failed. What is in the file by then may end in half a
    /// block, after which nothing could be read.
    failed: bool,
}

/// The parts of a block.
#[derive(Debug, Default)]
struct Pending {
    records: Vec<u8>,
    samples: Vec<u8>,
}

impl Pending {
    fn add(&mut self, record: &Record, rules: &Checker) -> postcard::Result<()> {
        let Record::Interval(interval) = record else {
            return postcard::to_io(record, &mut self.records).map(drop);
        };
        let events = rules.events().unwrap_or_default();
        samples::encode(&interval.samples, rules.counters(), &mut self.samples);
        interval_header::encode(interval, events, &mut self.records)
    }

    /// How long the parts are, in bytes.
    fn lengths(&self) -> [usize; 2] {
        [self.records.len(), self.samples.len()]
    }

    /// The length of the longer part, in bytes.
    fn longer(&self) -> usize {
        self.records.len().max(self.samples.len())
    }

    fn clear(&mut self) {
        self.records.clear();
        self.samples.clear();
    }

    /// Takes all from these lengths on.
    fn split_off(&mut self, [records, samples]: [usize; 2]) -> Self {
        Self {
            records: self.records.split_off(records),
            samples: self.samples.split_off(samples),
        }
    }
}

/// Why a record is not written.
#[derive(Debug)]
pub(super) enum Refused {
    /// It breaks a rule: the second half of a sentence.
    Rule(String),
    /// It is an interval of so much.
    TooMuch(String),
    /// It cannot be written.
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<W: Write> Writer<W> {
    /// Begins a recording in `out`.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written.
    pub fn new(out: W) -> Result<Self> {
        let mut writer = Self {
            out,
            checker: Checker::new(),
            pending: Pending::default(),
            compression: Compression::new().map_err(|error| {
                Error::new(
                    ErrorKind::Internal,
                    format!("cannot compress records: {error}"),
                )
            })?,
            parts: Vec::new(),
            block: Vec::new(),
            crc: 0,
            failed: false,
        };
        writer.block.extend_from_slice(&MAGIC);
        writer.block.extend_from_slice(&VERSION.to_le_bytes());
        writer.write()?;
        Ok(writer)
    }

    /// Adds a record. It reaches `out` with the next [`flush`](Self::flush),
    /// or earlier if a megabyte of records has piled up.
    ///
    /// # Errors
    ///
    /// `Internal` if the record breaks a rule of the format, so that a reader
    /// would refuse it; it is left out then, and the recording goes on.
    /// Otherwise, if `out` cannot be written.
    pub fn push(&mut self, record: &Record) -> Result<()> {
        self.offer(record).map_err(|refused| match refused {
            Refused::Rule(rule) => Error::new(ErrorKind::Internal, format!("the recording {rule}")),
            Refused::TooMuch(size) => too_much(&size),
            Refused::Failed(error) => error,
        })
    }

    /// The same, which tells why a record is left out.
    pub(super) fn offer(&mut self, record: &Record) -> Result<(), Refused> {
        if let Record::Interval(interval) = record {
            for (number, most, what) in [
                (interval.samples.len(), MAX_SAMPLES, "samples"),
                (interval.threads.len(), MAX_THREADS, "threads"),
            ] {
                if number > most {
                    return Err(Refused::TooMuch(format!("{number} {what}")));
                }
            }
        }
        let before = self.pending.lengths();
        let accepted = self.accept(record, before);
        if accepted.is_err() {
            self.pending.split_off(before);
            return accepted;
        }
        if self.pending.longer() > MAX_BLOCK {
            let record = self.pending.split_off(before);
            self.write_block()?;
            self.pending = record;
        }
        if self.pending.longer() >= FULL_BLOCK {
            self.write_block()?;
        }
        Ok(())
    }

    /// Encodes a record behind what is pending, of these lengths, and checks it.
    fn accept(&mut self, record: &Record, before: [usize; 2]) -> Result<(), Refused> {
        let is_interval = matches!(record, Record::Interval(_));
        self.pending.add(record, &self.checker).map_err(|error| {
            let sentence = format!("cannot encode a record: {error}");
            Error::new(ErrorKind::Internal, sentence)
        })?;
        let [records, samples] = self.pending.lengths();
        let size = (records - before[0]).max(samples - before[1]);
        if is_interval && size > MAX_BLOCK {
            return Err(Refused::TooMuch(format!("{} MiB", size >> 20)));
        }
        if !is_interval && size > MAX_RECORD {
            let most = MAX_RECORD >> 20;
            let rule = format!("has a record of {size} bytes, and {most} MiB is the most");
            return Err(Refused::Rule(rule));
        }
        self.checker.check(record).map_err(Refused::Rule)
    }

    /// What was written so far, checked.
    pub(super) fn checker(&self) -> &Checker {
        &self.checker
    }

    /// Writes all that was pushed, as a block. Nothing is written if nothing
    /// was pushed.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.write_block()?;
        self.out.flush().map_err(|error| self.fail(&error))
    }

    /// Writes all that was pushed, and gives `out` back.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written, or the last record is not an End.
    pub fn finish(self) -> Result<W> {
        if !self.checker.ended() {
            return Err(Error::new(
                ErrorKind::Internal,
                "the recording was finished without its end",
            ));
        }
        self.leave()
    }

    /// The same, whether or not there was an End.
    pub(super) fn leave(mut self) -> Result<W> {
        self.flush()?;
        Ok(self.out)
    }

    /// Makes the pending records a block and writes it. After a failure,
    /// nothing is written any more.
    fn write_block(&mut self) -> Result<()> {
        if self.failed {
            return Err(Error::new(
                ErrorKind::Input,
                "the recording ends where writing it failed",
            ));
        }
        if self.pending.records.is_empty() {
            return Ok(());
        }
        let compressed = self.compress();
        self.pending.clear();
        let (records, samples) = compressed.map_err(|error| self.fail(&error))?;
        let head = BlockHead::encode(self.crc, records, samples, &self.parts);
        self.crc = BlockHead::decode(&head).crc;
        self.block.extend_from_slice(&head);
        self.block.extend_from_slice(&self.parts);
        self.write()
    }

    /// Compresses the pending records and their samples into `parts`.
    fn compress(&mut self) -> io::Result<(Part, Part)> {
        self.parts.clear();
        let records = self
            .compression
            .compress(&self.pending.records, &mut self.parts)?;
        let samples = self
            .compression
            .compress(&self.pending.samples, &mut self.parts)?;
        Ok((records, samples))
    }

    /// Writes `block` and empties it.
    fn write(&mut self) -> Result<()> {
        let written = self.out.write_all(&self.block);
        self.block.clear();
        written.map_err(|error| self.fail(&error))
    }

    /// Notes that a write failed, in a sentence.
    fn fail(&mut self, error: &io::Error) -> Error {
        self.failed = true;
        Error::new(
            ErrorKind::Input,
            format!("cannot write the recording: {error}"),
        )
    }
}

/// The error for an interval that does not fit into a block.
fn too_much(size: &str) -> Error {
    let sentence = format!("one interval takes {size}, more than the recording's format holds");
    Error::new(ErrorKind::Input, sentence).hint("choose a shorter --interval")
}
