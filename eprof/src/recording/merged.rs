//! Several recordings in one file, `eprof merge`: each as it was written, with
//! labels.
//!
//! # File
//!
//! All integers are little-endian.
//!
//! | offset | bytes | what                                                   |
//! |-------:|------:|--------------------------------------------------------|
//! |      0 |     8 | magic: `45 50 52 4F 46 03 0D 0A` (`EPROF`, 3, CR, LF)   |
//! |      8 |     4 | version of this format, a `u32`: 1                     |
//! |     12 |     4 | number of members, a `u32`                             |
//! |     16 |     – | members, one after the other                           |
//!
//! # Member
//!
//! | offset | bytes | what                                                   |
//! |-------:|------:|--------------------------------------------------------|
//! |      0 |     4 | `u32` L, length of the labels                          |
//! |      4 |     8 | `u64` N, length of the recording                       |
//! |     12 |     4 | `u32` CRC-32 of the twelve bytes before and the labels |
//! |     16 |     L | labels: `{string: string}`, encoded as in a recording  |
//! | 16 + L |     N | the recording, from its magic on ([`super::format`])   |
//!
//! Nothing of a recording is lost or interpreted anew, and a member is found
//! without reading those before it. A file that was cut off ends with the last
//! member that is there; that is said.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};

use super::file::RecordingFile;

/// The first eight bytes. Two bits differ from those of a recording.
pub const MAGIC: [u8; 8] = *b"EPROF\x03\r\n";

/// The version of the format.
pub const VERSION: u32 = 1;

/// Length of what precedes the first member, in bytes.
const PROLOGUE: u64 = 16;

/// Length of what precedes the labels of a member, in bytes.
const HEAD: u64 = 16;

/// Longest labels of a member, in bytes.
const MAX_LABELS: u32 = 1 << 20;

/// Most members of a file.
pub const MAX_MEMBERS: u32 = 1 << 20;

/// What a member is told from others by: `host`, `rank`, `file`.
pub type Labels = BTreeMap<String, String>;

/// Where a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it is told from others by.
    pub labels: Labels,
    /// Where its recording begins in the file, in bytes.
    pub begin: u64,
    /// How long its recording is, in bytes.
    pub length: u64,
}

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
            let Some(member) = head(&file, at, length).map_err(failed)? else {
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
                "the last recording is cut off: {} bytes are missing",
                end - length
            );
            self.caveats.push(Caveat::new("member-cut-off", sentence));
        } else if end < length {
            let sentence = format!(
                "{} bytes after the last recording are ignored",
                length - end
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
}

/// The member whose head is at `at`; `None` where there is none that is whole
/// (its recording may be cut off).
fn head(file: &File, at: u64, length: u64) -> io::Result<Option<Member>> {
    let mut head = [0; HEAD as usize];
    if at.saturating_add(HEAD) > length {
        return Ok(None);
    }
    file.read_exact_at(&mut head, at)?;
    let [a, b, c, d, long @ .., e, f, g, h] = head;
    let labels = u32::from_le_bytes([a, b, c, d]);
    let begin = at.saturating_add(HEAD).saturating_add(u64::from(labels));
    if labels > MAX_LABELS || begin > length {
        return Ok(None);
    }
    let mut bytes = vec![0; labels as usize];
    file.read_exact_at(&mut bytes, at + HEAD)?;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head[..12]);
    crc.update(&bytes);
    if crc.finalize() != u32::from_le_bytes([e, f, g, h]) {
        return Ok(None);
    }
    let Ok(labels) = postcard::from_bytes::<Labels>(&bytes) else {
        return Ok(None);
    };
    Ok(Some(Member {
        labels,
        begin,
        length: u64::from_le_bytes(long),
    }))
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
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&members.to_le_bytes())?;
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
        let labels = postcard::to_stdvec(labels).map_err(io::Error::other)?;
        let short = u32::try_from(labels.len()).ok();
        let short = short.filter(|length| *length <= MAX_LABELS);
        let short = short.ok_or_else(|| io::Error::other("labels of more than a megabyte"))?;
        let mut head = Vec::with_capacity(HEAD as usize);
        head.extend_from_slice(&short.to_le_bytes());
        head.extend_from_slice(&length.to_le_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head);
        crc.update(&labels);
        head.extend_from_slice(&crc.finalize().to_le_bytes());
        self.out.write_all(&head)?;
        self.out.write_all(&labels)?;
        file.seek(SeekFrom::Start(begin))?;
        let copied = io::copy(&mut file.take(length), &mut self.out)?;
        if copied < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(())
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
