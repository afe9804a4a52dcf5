//! Several recordings in one file, `eprof merge`: each as it was written, with
//! labels.
//!
//! Nothing of a recording is lost or interpreted anew, and a member is found
//! without reading those before it. A file that was cut off ends with the last
//! member that is there; that is said. `docs/recording-format.md` tells the
//! layout.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::caveat::{Caveat, counted};
use crate::error::{Error, ErrorKind, Result};

use super::file::{RecordingFile, Records};
use super::merged_head::{self, MAGIC, PROLOGUE, VERSION};
pub use super::merged_head::{Labels, MAX_MEMBERS, Member};

/// A file of several recordings.
#[derive(Debug)]
pub struct Merged {
    path: PathBuf,
    /// The members that are there.
    pub members: Vec<Member>,
    /// What is missing.
    pub caveats: Vec<Caveat>,
}

impl Merged {
    /// Opens a file of several recordings; `None` if the file at `path` is not
    /// one (it may be a recording). Reads no recording.
    ///
    /// # Errors
    ///
    /// `Input` or `Permission` if the file cannot be read, `Data` for another
    /// version of the format.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let failed = |error: io::Error| Error::io("read", path, &error);
        // Asked before opening, which would wait for the writer of a FIFO.
        if !path.metadata().map_err(failed)?.is_file() {
            return Ok(None);
        }
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut prologue = [0; PROLOGUE as usize];
        if length < PROLOGUE || file.read_exact_at(&mut prologue, 0).is_err() {
            return Ok(None);
        }
        let [magic @ .., a, b, c, d, e, f, g, h] = prologue;
        if magic != MAGIC {
            return Ok(None);
        }
        let version = u32::from_le_bytes([a, b, c, d]);
        if version != VERSION {
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "{} holds recordings in format {version} for several, and this eprof ({}) \
                     reads format {VERSION}",
                    path.display(),
                    env!("CARGO_PKG_VERSION")
                ),
            )
            .hint("read it with the version of eprof that merged it"));
        }
        let promised = u32::from_le_bytes([e, f, g, h]);
        let mut merged = Self {
            path: path.to_owned(),
            members: Vec::new(),
            caveats: Vec::new(),
        };
        let mut at = PROLOGUE;
        for _ in 0..promised.min(MAX_MEMBERS) {
            let Some(member) = merged_head::decode(&file, at, length).map_err(failed)? else {
                break;
            };
            at = member.begin.saturating_add(member.length);
            merged.members.push(member);
        }
        merged.missing(promised, at, length);
        Ok(Some(merged))
    }

    /// Notes what is missing of `promised` members in a file of `length` bytes
    /// whose last member ends at `end`.
    fn missing(&mut self, promised: u32, end: u64, length: u64) {
        let there = self.members.len();
        if (there as u64) < u64::from(promised) {
            let sentence = format!(
                "only {there} of {promised} recordings can be found: the file is cut off or \
                 damaged at byte {end}"
            );
            self.caveats.push(
                Caveat::new("members-missing", sentence).hint("merge the recordings once more"),
            );
        } else if end > length {
            let sentence = format!(
                "the last recording is cut off: {} missing",
                counted(end - length, "byte is", "bytes are")
            );
            self.caveats.push(Caveat::new("member-cut-off", sentence));
        } else if end < length {
            let sentence = format!(
                "what follows the last recording is ignored: {}",
                counted(length - end, "byte", "bytes")
            );
            self.caveats.push(Caveat::new("merged-trailer", sentence));
        }
    }

    /// Opens the recording of a member.
    ///
    /// # Errors
    ///
    /// As [`RecordingFile::open`].
    pub fn recording(&self, member: &Member) -> Result<RecordingFile> {
        RecordingFile::open_part(&self.path, member.begin, member.length)
    }

    /// The records of a member, read once.
    ///
    /// # Errors
    ///
    /// As [`RecordingFile::open`].
    pub(super) fn records(&self, member: &Member) -> Result<Records> {
        Records::open(&self.path, member.begin, member.length)
    }
}

/// Writes several recordings as one file. Holds none of them in memory.
#[derive(Debug)]
pub struct MergedWriter<W> {
    out: W,
}

impl<W: Write> MergedWriter<W> {
    /// Begins a file of `members` recordings.
    ///
    /// # Errors
    ///
    /// What `out` said.
    pub fn new(mut out: W, members: u32) -> io::Result<Self> {
        out.write_all(&merged_head::prologue(members))?;
        Ok(Self { out })
    }

    /// Adds the next recording: `length` bytes of `file` from `begin` on.
    ///
    /// # Errors
    ///
    /// What `out` or `file` said; that `file` has become shorter, or `labels`
    /// are absurdly long.
    pub fn push(
        &mut self,
        labels: &Labels,
        mut file: &File,
        (begin, length): (u64, u64),
    ) -> io::Result<()> {
        self.out.write_all(&merged_head::encode(labels, length)?)?;
        file.seek(SeekFrom::Start(begin))?;
        let copied = io::copy(&mut file.take(length), &mut self.out)?;
        if copied < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(())
    }

    /// Where the recordings go.
    pub(super) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// What `out` said.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Recordings that are written here, not copied: how long one is, and how many
/// there are, is known behind them.
impl<W: Write + Seek> MergedWriter<W> {
    /// Begins the next recording, which is to be written to [`out`](Self::out).
    /// Answers where.
    ///
    /// # Errors
    ///
    /// What `out` said; that `labels` are absurdly long.
    pub(super) fn begin(&mut self, labels: &Labels) -> io::Result<u64> {
        let head = merged_head::encode(labels, 0)?;
        let begin = self.out.stream_position()?;
        self.out.write_all(&head)?;
        Ok(begin)
    }

    /// Ends the recording that began at `begin` with these labels.
    ///
    /// # Errors
    ///
    /// What `out` said.
    pub(super) fn end(&mut self, labels: &Labels, begin: u64) -> io::Result<()> {
        let end = self.out.stream_position()?;
        let length = merged_head::encode(labels, 0)?.len() as u64;
        let head = merged_head::encode(labels, end.saturating_sub(begin + length))?;
        self.out.seek(SeekFrom::Start(begin))?;
        self.out.write_all(&head)?;
        self.out.seek(SeekFrom::Start(end)).map(drop)
    }

    /// Ends the file, which has so many recordings.
    ///
    /// # Errors
    ///
    /// What `out` said.
    pub(super) fn count(mut self, members: u32) -> io::Result<()> {
        self.out.rewind()?;
        self.out.write_all(&merged_head::prologue(members))?;
        self.out.seek(SeekFrom::End(0))?;
        self.out.flush()
    }
}
