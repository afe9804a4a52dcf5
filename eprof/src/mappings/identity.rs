//! Whether a file is the one that was mapped.

use std::fs::{File, Metadata};
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use object::elf::{ELF_NOTE_GNU, FileHeader32, FileHeader64, NT_GNU_BUILD_ID};
use object::read::ReadCacheOps;
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader as _};
use object::{Endianness, FileKind, ReadCache, ReadRef};

use crate::kernel::Inode;

/// What a mapping tells about its file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// The GNU build id.
    BuildId(Vec<u8>),
    /// The inode, where the file has no build id or the kernel could not read
    /// it without waiting.
    Inode(Inode),
    /// Nothing.
    Unknown,
}

/// What a file tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Whether it is an ELF file that can be mapped: one with segments.
    pub(crate) elf: bool,
    /// GNU build id.
    pub(crate) build_id: Option<Vec<u8>>,
    /// Changes with the content: device, inode, size, time of modification.
    stamp: (u64, u64, u64, i64, i64),
    /// When the file or its entry changed last, since 1970.
    pub(crate) changed: Duration,
}

impl Fingerprint {
    /// Reads the fingerprint of `file`; `None` where it cannot be read or is
    /// no regular file.
    pub(crate) fn of(file: &File) -> Option<Self> {
        let metadata = file.metadata().ok().filter(Metadata::is_file)?;
        let cache = ReadCache::new(file);
        let head = Pieces(&cache);
        let kind = FileKind::parse(head);
        let build_id = match kind {
            Ok(FileKind::Elf64) => build_id::<FileHeader64<Endianness>, _>(head),
            Ok(FileKind::Elf32) => build_id::<FileHeader32<Endianness>, _>(head),
            _ => None,
        };
        Some(Self {
            elf: match kind {
                Ok(FileKind::Elf64) => has_segments::<FileHeader64<Endianness>, _>(&cache),
                Ok(FileKind::Elf32) => has_segments::<FileHeader32<Endianness>, _>(&cache),
                _ => false,
            },
            build_id,
            stamp: (
                metadata.dev(),
                metadata.ino(),
                metadata.size(),
                metadata.mtime(),
                metadata.mtime_nsec(),
            ),
            changed: Duration::new(
                u64::try_from(metadata.ctime()).unwrap_or(0),
                u32::try_from(metadata.ctime_nsec()).unwrap_or(0),
            ),
        })
    }

    /// Whether this is the file of `identity`, mapped at `mapped` since 1970.
    /// `same_mapping` tells that it was opened through the mapping itself: then the
    /// inode's number is enough. Otherwise the device must be the same, too, and the
    /// file must not have changed since, for inode numbers are used again. (On some
    /// file systems the device that the kernel tells is not that of `stat`.)
    pub(crate) fn is(&self, identity: &Identity, mapped: Duration, same_mapping: bool) -> bool {
        let (device, number, ..) = self.stamp;
        match identity {
            Identity::BuildId(id) => self.build_id.as_deref() == Some(id),
            Identity::Inode(inode) => {
                let same_file = device == inode.device && self.changed <= mapped;
                number == inode.number && (same_mapping || same_file)
            }
            Identity::Unknown => false,
        }
    }

    /// Whether `later`, a fingerprint of the same descriptor or of a file that
    /// was opened again, has the same content: the same build id, or where
    /// there is none the same file, untouched.
    pub(crate) fn still(&self, later: &Self) -> bool {
        self.build_id == later.build_id && (self.build_id.is_some() || self.stamp == later.stamp)
    }

    /// Whether `other` is the same inode, whatever was written to it.
    pub(crate) fn same_inode(&self, other: &Self) -> bool {
        let inode = |of: &Self| (of.stamp.0, of.stamp.1);
        inode(self) == inode(other)
    }

    /// Whether `other` is the very same file on the file system.
    pub(crate) fn same_file(&self, other: &Self) -> bool {
        self.stamp == other.stamp
    }
}

/// The most that is read of a file at once, in bytes: more than any table of segments
/// or sections has. A file may say of itself what it likes, and have as many bytes as
/// it says without using any space.
const LARGEST_PIECE: u64 = 16 << 20;

/// A file of which small pieces only are read.
#[derive(Debug)]
pub(crate) struct Pieces<'a, R: ReadCacheOps>(pub(crate) &'a ReadCache<R>);

impl<R: ReadCacheOps> Clone for Pieces<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: ReadCacheOps> Copy for Pieces<'_, R> {}

impl<'a, R: ReadCacheOps> ReadRef<'a> for Pieces<'a, R> {
    fn len(self) -> Result<u64, ()> {
        self.0.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        if size > LARGEST_PIECE {
            return Err(());
        }
        self.0.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        self.0.read_bytes_at_until(range, delimiter)
    }
}

/// Bytes in hexadecimal, as build ids are written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn has_segments<'data, H, R>(data: R) -> bool
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = H::parse(data).ok();
    let endian = header.and_then(|header| Some((header, header.endian().ok()?)));
    endian.is_some_and(|(header, endian)| header.e_phnum(endian) > 0)
}

/// The GNU build id from the note segments: where the kernel looks too
/// (lib/buildid.c), and small to read, unlike the tables of sections and
/// symbols.
fn build_id<'data, H, R>(data: R) -> Option<Vec<u8>>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = H::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, data).ok()?;
    for segment in segments {
        if let Ok(Some(notes)) = segment.notes(endian, data)
            && let Some(id) = noted(notes, endian)
        {
            return Some(id);
        }
    }
    None
}

/// The GNU build id among `notes`.
pub(crate) fn noted<H: FileHeader>(
    mut notes: NoteIterator<'_, H>,
    endian: H::Endian,
) -> Option<Vec<u8>> {
    while let Ok(Some(note)) = notes.next() {
        if note.name() == ELF_NOTE_GNU && note.n_type(endian) == NT_GNU_BUILD_ID {
            return Some(note.desc().to_vec());
        }
    }
    None
}
