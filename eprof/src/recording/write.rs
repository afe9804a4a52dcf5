//! Writing a recording: records pile up, and an interval's end makes them a
//! frame.

use std::io::{self, Write};

use crate::error::{Error, ErrorKind, Result};

use super::check::Checker;
use super::compress::Compression;
use super::format::{FULL_FRAME, FrameHead, MAGIC, MAX_FRAME, MAX_SAMPLES, Part, VERSION};
use super::record::Record;
use super::{interval_header, samples};

/// Writes a recording, one frame per [`flush`](Self::flush).
///
/// Each frame is one `write` to `out`, so no buffer is needed in between.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    checker: Checker,
    /// What is not yet written, encoded.
    pending: Pending,
    packer: Compression,
    /// The parts of a frame, packed; kept for its capacity, as the frame is.
    parts: Vec<u8>,
    /// A frame as it goes into the file.
    frame: Vec<u8>,
    /// Whether a write failed. What is in the file by then may end in half a
    /// frame, after which nothing could be read.
    failed: bool,
}

/// The parts of a frame.
#[derive(Debug, Default)]
struct Pending {
    records: Vec<u8>,
    samples: Vec<u8>,
}

impl Pending {
    fn add(&mut self, record: &Record) -> postcard::Result<()> {
        let Record::Interval(interval) = record else {
            return postcard::to_io(record, &mut self.records).map(drop);
        };
        samples::encode(&interval.samples, &mut self.samples);
        interval_header::encode(interval, &mut self.records)
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
    fn split_off(&mut self, records: usize, samples: usize) -> Self {
        Self {
            records: self.records.split_off(records),
            samples: self.samples.split_off(samples),
        }
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
            packer: Compression::new().map_err(|error| {
                Error::new(ErrorKind::Internal, format!("cannot pack records: {error}"))
            })?,
            parts: Vec::new(),
            frame: Vec::new(),
            failed: false,
        };
        writer.frame.extend_from_slice(&MAGIC);
        writer.frame.extend_from_slice(&VERSION.to_le_bytes());
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
        if let Record::Interval(interval) = record
            && interval.samples.len() > MAX_SAMPLES
        {
            return Err(too_much(&format!("{} samples", interval.samples.len())));
        }
        self.checker
            .check(record)
            .map_err(|rule| Error::new(ErrorKind::Internal, format!("the recording {rule}")))?;
        let (records, samples) = (self.pending.records.len(), self.pending.samples.len());
        if let Err(error) = self.pending.add(record) {
            self.pending.split_off(records, samples);
            return Err(Error::new(
                ErrorKind::Internal,
                format!("cannot encode a record: {error}"),
            ));
        }
        if self.pending.longer() > MAX_FRAME {
            let record = self.pending.split_off(records, samples);
            self.write_frame()?;
            if record.longer() > MAX_FRAME {
                let size = format!("{} MiB", record.longer() >> 20);
                return Err(too_much(&size));
            }
            self.pending = record;
        }
        if self.pending.longer() >= FULL_FRAME {
            self.write_frame()?;
        }
        Ok(())
    }

    /// Writes all that was pushed, as a frame. Nothing is written if nothing
    /// was pushed.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.write_frame()?;
        self.out.flush().map_err(|error| self.fail(&error))
    }

    /// Writes all that was pushed, and gives `out` back.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written, or the last record is not an End.
    pub fn finish(mut self) -> Result<W> {
        self.flush()?;
        if !self.checker.ended() {
            return Err(Error::new(
                ErrorKind::Internal,
                "the recording was finished without its end",
            ));
        }
        Ok(self.out)
    }

    /// Makes the pending records a frame and writes it. After a failure,
    /// nothing is written any more.
    fn write_frame(&mut self) -> Result<()> {
        if self.failed {
            return Err(Error::new(
                ErrorKind::Input,
                "the recording ends where writing it failed",
            ));
        }
        if self.pending.records.is_empty() {
            return Ok(());
        }
        let packed = self.pack();
        self.pending.clear();
        let (records, samples) = packed.map_err(|error| self.fail(&error))?;
        let head = FrameHead::encode(records, samples, &self.parts);
        self.frame.extend_from_slice(&head);
        self.frame.extend_from_slice(&self.parts);
        self.write()
    }

    /// Packs the pending records and their samples into `parts`.
    fn pack(&mut self) -> io::Result<(Part, Part)> {
        self.parts.clear();
        let records = self
            .packer
            .compress(&self.pending.records, &mut self.parts)?;
        let samples = self
            .packer
            .compress(&self.pending.samples, &mut self.parts)?;
        Ok((records, samples))
    }

    /// Writes `frame` and empties it.
    fn write(&mut self) -> Result<()> {
        let written = self.out.write_all(&self.frame);
        self.frame.clear();
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

/// The error for an interval that does not fit into a frame.
fn too_much(size: &str) -> Error {
    let sentence = format!("one interval takes {size}, more than the recording's format holds");
    Error::new(ErrorKind::Input, sentence).hint("choose a shorter --interval")
}
