//! A recording in a file, whose intervals stay there.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

use super::catalog::Catalog;
use super::read::Reader;
use super::record::{IntervalRecord, Record};

/// A recording in a file, of which only the catalogue is in memory; the
/// intervals are read again each time they are asked for.
#[derive(Debug)]
pub struct RecordingFile {
    /// Everything but the intervals.
    pub catalog: Catalog,
    path: PathBuf,
    file: File,
    /// Where the recording begins in the file, in bytes.
    begin: u64,
    /// How many bytes of it are sound.
    accepted: u64,
}

impl RecordingFile {
    /// Reads and checks the whole file, and keeps all but the intervals.
    ///
    /// # Errors
    ///
    /// `Input` or `Permission` if the file cannot be read, `Data` if it is not
    /// a recording, is in another format, holds not even a header, or breaks a
    /// rule of the format. Mere damage is a caveat in the catalogue.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_part(path, 0, u64::MAX)
    }

    /// The same for a recording that is `length` bytes of the file, from
    /// `begin` on (fewer, where the file ends before).
    pub(super) fn open_part(path: &Path, begin: u64, length: u64) -> Result<Self> {
        let failed = |error: io::Error| Error::io("read", path, &error);
        // Asked before opening, which would wait for the writer of a FIFO.
        let metadata = path.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::new(
                ErrorKind::Input,
                format!("{} is not a regular file", path.display()),
            ));
        }
        let file = File::open(path).map_err(failed)?;
        let there = file.metadata().map_err(failed)?.len().saturating_sub(begin);
        let limit = begin.saturating_add(length);
        let input = Positioned::new(&file, begin, limit);
        let mut reader =
            Reader::new(input, Some(there.min(length))).map_err(|error| name(path, error))?;
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

    /// The intervals, in order of time, read while they are iterated over.
    ///
    /// # Errors
    ///
    /// If the file was changed since it was opened.
    pub fn intervals(&self) -> Result<Intervals<'_>> {
        let limit = self.begin.saturating_add(self.accepted);
        let input = Positioned::new(&self.file, self.begin, limit);
        let reader = Reader::new(input, None).map_err(|error| name(&self.path, error))?;
        Ok(Intervals {
            reader,
            recording: self,
            done: false,
        })
    }
}

/// Puts the file's name before a sentence that begins with a verb.
fn name(path: &Path, error: Error) -> Error {
    let named = Error::new(error.kind(), format!("{} {error}", path.display()));
    match error.hint() {
        Some(hint) => named.remedy(hint),
        None => named,
    }
}

/// The intervals of a [`RecordingFile`].
#[derive(Debug)]
pub struct Intervals<'a> {
    reader: Reader<BufReader<Positioned<'a>>>,
    recording: &'a RecordingFile,
    done: bool,
}

impl Iterator for Intervals<'_> {
    type Item = Result<IntervalRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            match self.reader.next() {
                Some(Ok(Record::Interval(interval))) => return Some(Ok(interval)),
                Some(Ok(Record::Header(header))) if *header != self.recording.catalog.header => {
                    return Some(Err(self.changed()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    self.done = true;
                    return Some(Err(name(&self.recording.path, error)));
                }
                None if self.reader.accepted() != self.recording.accepted => {
                    return Some(Err(self.changed()));
                }
                None => self.done = true,
            }
        }
        None
    }
}

impl Intervals<'_> {
    /// Ends the iteration: the file is not what it was when it was opened.
    fn changed(&mut self) -> Error {
        self.done = true;
        let path = self.recording.path.display();
        Error::new(ErrorKind::Data, format!("{path} changed while it was read"))
    }
}

/// Reads a file from somewhere up to a limit, at a position of its own.
#[derive(Debug)]
struct Positioned<'a> {
    file: &'a File,
    position: u64,
    limit: u64,
}

impl<'a> Positioned<'a> {
    fn new(file: &'a File, position: u64, limit: u64) -> BufReader<Self> {
        BufReader::with_capacity(
            64 << 10,
            Self {
                file,
                position,
                limit,
            },
        )
    }
}

impl Read for Positioned<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.limit.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let got = self.file.read_at(&mut buffer[..wanted], self.position)?;
        self.position += got as u64;
        Ok(got)
    }
}
