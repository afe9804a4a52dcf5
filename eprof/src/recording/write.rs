//! Writing a recording: records pile up, and an interval's end makes them a
//! frame.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::error::{Error, ErrorKind, Result};

use super::check::Checker;
use super::format::{FULL_FRAME, FrameHead, MAGIC, MAX_FRAME, VERSION};
use super::record::Record;

/// Writes a recording, one frame per [`flush`](Self::flush).
///
/// Each frame is one `write` to `out`, so no buffer is needed in between.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    checker: Checker,
    /// Records not yet written, encoded.
    pending: Vec<u8>,
    encoder: DeflateEncoder<Vec<u8>>,
    /// A frame as it goes into the file; kept for its capacity.
    frame: Vec<u8>,
    /// Whether a write failed. What is in the file by then may end in half a
    /// frame, after which nothing could be read.
    failed: bool,
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
            pending: Vec::new(),
            encoder: DeflateEncoder::new(Vec::new(), Compression::fast()),
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
        self.checker
            .check(record)
            .map_err(|rule| Error::new(ErrorKind::Internal, format!("the recording {rule}")))?;
        let begin = self.pending.len();
        if let Err(error) = postcard::to_io(record, &mut self.pending) {
            self.pending.truncate(begin);
            return Err(Error::new(
                ErrorKind::Internal,
                format!("cannot encode a record: {error}"),
            ));
        }
        if self.pending.len() > MAX_FRAME {
            let record = self.pending.split_off(begin);
            self.write_frame()?;
            if record.len() > MAX_FRAME {
                return Err(Error::new(
                    ErrorKind::Input,
                    format!(
                        "one interval takes {} MiB, more than the recording's format holds",
                        record.len() >> 20
                    ),
                )
                .remedy("choose a shorter --interval"));
            }
            self.pending = record;
        }
        if self.pending.len() >= FULL_FRAME {
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
        if self.pending.is_empty() {
            return Ok(());
        }
        let inflated = u32::try_from(self.pending.len()).unwrap_or(u32::MAX);
        let payload = self
            .encoder
            .write_all(&self.pending)
            .and_then(|()| self.encoder.reset(Vec::new()))
            .map_err(|error| self.fail(&error))?;
        self.pending.clear();
        self.frame
            .extend_from_slice(&FrameHead::new(&payload, inflated).encode());
        self.frame.extend_from_slice(&payload);
        self.write()
    }

    /// Writes `frame` and empties it.
    fn write(&mut self) -> Result<()> {
        let written = self.out.write_all(&self.frame);
        self.frame.clear();
        written.map_err(|error| self.fail(&error))
    }

    /// Notes that a write failed, in a sentence.
    fn fail(&mut self, error: &std::io::Error) -> Error {
        self.failed = true;
        Error::new(
            ErrorKind::Input,
            format!("cannot write the recording: {error}"),
        )
    }
}
