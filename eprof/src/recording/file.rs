//! A recording in a file, whose intervals stay there.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};

use super::bytes::Bytes;
use super::catalog::Catalog;
use super::prefetch::{Prefetch, prefetch};
use super::read::Reader;
use super::record::{Header, IntervalRecord, Record};

/// A recording in a file, of which only the catalogue is in memory; the
/// intervals are read again each time they are asked for.
#[derive(Debug)]
pub struct RecordingFile {
    /// Everything but the intervals.
    pub catalog: Catalog,
    path: PathBuf,
    file: Bytes,
    /// Where the recording begins in the file, in bytes.
    begin: u64,
    /// How many bytes of it are sound.
    accepted: u64,
}

/// Whether intervals are to have their samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Samples {
    /// They are.
    Read,
    /// They need not: several times as fast.
    Skipped,
}

impl RecordingFile {
    /// Reads the whole file, checks all but the samples, and keeps all but the
    /// intervals.
    ///
    /// # Errors
    ///
    /// `Input` or `Permission` if the file cannot be read, `Data` if it is not
    /// a recording, is in another format, holds not even a header, or breaks a
    /// rule of the format. Mere damage is a caveat in the catalogue.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_part(path, 0, u64::MAX)
    }

    /// The same of a file that is open, whatever has its name by now. Sentences
    /// call it `path`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn of(file: &Bytes, path: &Path) -> Result<Self> {
        Self::read(path, 0, reader_of(file, path, 0, u64::MAX)?)
    }

    /// The same for a recording that is `length` bytes of the file, from
    /// `begin` on (fewer, where the file ends before).
    pub(super) fn open_part(path: &Path, begin: u64, length: u64) -> Result<Self> {
        Self::read(path, begin, reader(path, begin, length)?)
    }

    fn read(path: &Path, begin: u64, (file, reader): (Bytes, FileReader)) -> Result<Self> {
        let mut reader = reader.without_samples();
        let catalog = Catalog::read(&mut reader, drop).map_err(|error| name(path, error))?;
        let accepted = reader.accepted();
        drop(reader);
        Ok(Self {
            catalog,
            path: path.to_owned(),
            file,
            begin,
            accepted,
        })
    }

    /// How long the recording is, in bytes, as far as it is sound.
    pub fn length(&self) -> u64 {
        self.accepted
    }

    /// The intervals, in order of time, read while they are iterated over, a
    /// few of them ahead.
    ///
    /// # Errors
    ///
    /// If the file was changed since it was opened.
    pub fn intervals(&self, samples: Samples) -> Result<Intervals> {
        let limit = self.begin.saturating_add(self.accepted);
        let input = Positioned::new(&self.file, self.begin, limit);
        let reader = Reader::new(input, None).map_err(|error| name(&self.path, error))?;
        let stream = Stream {
            reader: match samples {
                Samples::Read => reader,
                Samples::Skipped => reader.without_samples(),
            },
            header: self.catalog.header.clone(),
            path: self.path.clone(),
            accepted: self.accepted,
            done: false,
        };
        Ok(Intervals {
            ahead: prefetch(stream, weight),
            done: false,
        })
    }
}

/// How much an interval holds: samples and accounts.
fn weight(interval: &Result<IntervalRecord>) -> usize {
    let of = |interval: &IntervalRecord| interval.samples.len() + interval.threads.len();
    interval.as_ref().map_or(0, of)
}

/// Opens a recording that is `length` bytes of the file at `path`, from `begin`
/// on (fewer, where the file ends before).
fn reader(path: &Path, begin: u64, length: u64) -> Result<(Bytes, FileReader)> {
    let failed = |error: io::Error| Error::io("read", path, &error);
    // Asked before opening, which would wait for the writer of a FIFO.
    let metadata = path.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::new(
            ErrorKind::Input,
            format!("{} is not a regular file", path.display()),
        ));
    }
    let file = Bytes::File(Arc::new(File::open(path).map_err(failed)?));
    reader_of(&file, path, begin, length)
}

/// The same of a file that is open.
fn reader_of(file: &Bytes, path: &Path, begin: u64, length: u64) -> Result<(Bytes, FileReader)> {
    let failed = |error: io::Error| Error::io("read", path, &error);
    let there = file.length().map_err(failed)?.saturating_sub(begin);
    let limit = begin.saturating_add(length);
    let input = Positioned::new(file, begin, limit);
    let reader = Reader::new(input, Some(there.min(length))).map_err(|error| name(path, error))?;
    Ok((file.clone(), reader))
}

/// Reads a recording in a file.
type FileReader = Reader<BufReader<Positioned>>;

/// The records of a recording in a file, read once.
#[derive(Debug)]
pub(super) struct Records {
    reader: FileReader,
    path: PathBuf,
    begun: bool,
}

impl Records {
    /// Those of a recording that is `length` bytes of the file at `path`, from
    /// `begin` on (fewer, where the file ends before).
    ///
    /// # Errors
    ///
    /// As [`RecordingFile::open`], but nothing is read that follows the first
    /// bytes.
    pub(super) fn open(path: &Path, begin: u64, length: u64) -> Result<Self> {
        let (_, reader) = reader(path, begin, length)?;
        Ok(Self {
            reader,
            path: path.to_owned(),
            begun: false,
        })
    }

    /// What is missing, once the iteration has ended.
    pub(super) fn caveats(&self) -> Vec<Caveat> {
        self.reader.caveats()
    }
}

impl Iterator for Records {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.reader.next() {
            None if !self.begun => Some(Err(self.reader.nothing())),
            record => record,
        };
        self.begun = true;
        record.map(|record| record.map_err(|error| name(&self.path, error)))
    }
}

/// Puts the file's name before a sentence that begins with a verb.
fn name(path: &Path, error: Error) -> Error {
    let named = Error::new(error.kind(), format!("{} {error}", path.display()));
    match error.given_hint() {
        Some(hint) => named.hint(hint),
        None => named,
    }
}

/// The intervals of a [`RecordingFile`].
#[derive(Debug)]
pub struct Intervals {
    ahead: Prefetch<Result<IntervalRecord>>,
    done: bool,
}

impl Iterator for Intervals {
    type Item = Result<IntervalRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.ahead.next().unwrap_or_else(|| {
            Some(Err(Error::new(
                ErrorKind::Internal,
                "the thread that reads the recording has died",
            )))
        });
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}

/// The intervals, as the thread that reads them finds them.
#[derive(Debug)]
struct Stream {
    reader: FileReader,
    /// What the file was when it was opened.
    header: Header,
    path: PathBuf,
    accepted: u64,
    done: bool,
}

impl Iterator for Stream {
    type Item = Result<IntervalRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            match self.reader.next() {
                Some(Ok(Record::Interval(interval))) => return Some(Ok(interval)),
                Some(Ok(Record::Header(header))) if *header != self.header => {
                    return Some(Err(self.changed()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    self.done = true;
                    return Some(Err(name(&self.path, error)));
                }
                None if self.reader.accepted() != self.accepted => {
                    return Some(Err(self.changed()));
                }
                None => self.done = true,
            }
        }
        None
    }
}

impl Stream {
    /// Ends the iteration: the file is not what it was when it was opened.
    fn changed(&mut self) -> Error {
        self.done = true;
        let path = self.path.display();
        Error::new(ErrorKind::Data, format!("{path} changed while it was read"))
    }
}

/// Reads a file from somewhere up to a limit, at a position of its own.
#[derive(Debug)]
struct Positioned {
    file: Bytes,
    position: u64,
    limit: u64,
}

impl Positioned {
    fn new(file: &Bytes, position: u64, limit: u64) -> BufReader<Self> {
        BufReader::with_capacity(
            64 << 10,
            Self {
                file: file.clone(),
                position,
                limit,
            },
        )
    }
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.limit.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let got = self.file.read_at(&mut buffer[..wanted], self.position)?;
        self.position += got as u64;
        Ok(got)
    }
}
