//! Reading pieces of a file, now and later.
//!
//! A file of the target's is never mapped into memory: one that is cut short
//! would kill eprof by a signal. It is read by position, some blocks at a time.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use object::read::ReadCacheOps;

/// Something with bytes at positions.
pub trait Bytes: Send {
    /// How many there are.
    fn length(&self) -> u64;

    /// Reads the bytes from `offset` on; `None` where they are not all there.
    fn read(&self, offset: u64, to: &mut [u8]) -> Option<()>;

    /// Whether they are certainly what they were at first.
    fn is_unchanged(&self) -> bool {
        true
    }
}

impl Bytes for Vec<u8> {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, offset: u64, to: &mut [u8]) -> Option<()> {
        let begin = usize::try_from(offset).ok()?;
        let bytes = self.get(begin..begin.checked_add(to.len())?)?;
        to.copy_from_slice(bytes);
        Some(())
    }
}

/// A file, as long as nobody writes to it.
#[derive(Debug)]
pub struct Unchanged {
    file: File,
    stamp: (u64, i64, i64),
}

impl Unchanged {
    /// The file as it is now; `None` where it cannot be asked.
    pub fn new(file: File) -> Option<Self> {
        let stamp = stamp(&file.metadata().ok()?);
        Some(Self { file, stamp })
    }
}

/// Size and time of the last change of the content.
fn stamp(metadata: &Metadata) -> (u64, i64, i64) {
    (metadata.size(), metadata.mtime(), metadata.mtime_nsec())
}

impl Bytes for Unchanged {
    fn length(&self) -> u64 {
        self.stamp.0
    }

    fn read(&self, offset: u64, to: &mut [u8]) -> Option<()> {
        self.file.read_exact_at(to, offset).ok()
    }

    fn is_unchanged(&self) -> bool {
        let now = self.file.metadata();
        now.is_ok_and(|metadata| stamp(&metadata) == self.stamp)
    }
}

/// Most bytes of a file that are read at once.
pub(super) const MOST: u64 = 256 << 20;

/// `length` bytes from `offset` on; `None` where they are not all there, or too
/// many.
pub(super) fn all(bytes: &dyn Bytes, offset: u64, length: u64) -> Option<Vec<u8>> {
    // Before there is room for them: a file may say of itself what it likes.
    let is_there = offset.checked_add(length)? <= bytes.length();
    let length = usize::try_from(length).ok()?;
    let mut read = (is_there && length as u64 <= MOST).then(|| vec![0; length])?;
    bytes.read(offset, &mut read)?;
    Some(read)
}

/// The bytes one after the other, as the ELF reader wants them.
pub(super) struct InOrder<'a> {
    bytes: &'a dyn Bytes,
    at: u64,
}

impl<'a> InOrder<'a> {
    pub(super) fn new(bytes: &'a dyn Bytes) -> Self {
        Self { bytes, at: 0 }
    }
}

impl ReadCacheOps for InOrder<'_> {
    fn len(&mut self) -> Result<u64, ()> {
        Ok(self.bytes.length())
    }

    fn seek(&mut self, position: u64) -> Result<u64, ()> {
        self.at = position;
        Ok(position)
    }

    fn read(&mut self, to: &mut [u8]) -> Result<usize, ()> {
        let left = self.bytes.length().saturating_sub(self.at);
        let length = to.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let to = to.get_mut(..length).ok_or(())?;
        self.read_exact(to)?;
        Ok(length)
    }

    fn read_exact(&mut self, to: &mut [u8]) -> Result<(), ()> {
        self.bytes.read(self.at, to).ok_or(())?;
        self.at += to.len() as u64;
        Ok(())
    }
}

/// Bytes of one block.
const BLOCK: usize = 16 << 10;

/// Blocks that are kept: of code, of functions' descriptions, of what these
/// have in common, of the table of functions.
const KEPT: usize = 4;

/// Bytes, of which those that were asked for last are kept.
pub(super) struct Blocks {
    bytes: Box<dyn Bytes>,
    /// Number of the block, and its content; that which was used last is the
    /// last one.
    kept: Vec<(u64, Vec<u8>)>,
}

impl Blocks {
    pub(super) fn new(bytes: Box<dyn Bytes>) -> Self {
        Self {
            bytes,
            kept: Vec::new(),
        }
    }

    pub(super) fn bytes(&self) -> &dyn Bytes {
        &*self.bytes
    }

    pub(super) fn is_unchanged(&self) -> bool {
        self.bytes.is_unchanged()
    }

    /// Keeps nothing, until the next reading.
    pub(super) fn forget(&mut self) {
        self.kept = Vec::new();
    }

    /// Appends `length` bytes from `offset` on to `to`, all or none.
    pub(super) fn read(&mut self, offset: u64, length: usize, to: &mut Vec<u8>) -> Option<()> {
        let end = offset.checked_add(length as u64)?;
        if end > self.bytes.length() {
            return None;
        }
        let before = to.len();
        let mut at = offset;
        while at < end {
            let Some(block) = self.block(at / BLOCK as u64) else {
                to.truncate(before);
                return None;
            };
            let from = (at % BLOCK as u64) as usize;
            let until = block.len().min(from + (end - at) as usize);
            let Some(piece) = block.get(from..until).filter(|piece| !piece.is_empty()) else {
                to.truncate(before);
                return None;
            };
            to.extend_from_slice(piece);
            at += piece.len() as u64;
        }
        Some(())
    }

    fn block(&mut self, number: u64) -> Option<&[u8]> {
        let known = self.kept.iter().position(|(known, _)| *known == number);
        let block = match known {
            Some(place) => self.kept.remove(place),
            None => {
                let offset = number * BLOCK as u64;
                let left = self.bytes.length().saturating_sub(offset);
                let mut block = vec![0; BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
                self.bytes.read(offset, &mut block)?;
                if self.kept.len() >= KEPT {
                    self.kept.remove(0);
                }
                (number, block)
            }
        };
        self.kept.push(block);
        self.kept.last().map(|(_, block)| block.as_slice())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn blocks_give_what_is_there_and_nothing_else() {
        let all: Vec<u8> = (0..5 * BLOCK + 7).map(|n| (n % 251) as u8).collect();
        let mut blocks = Blocks::new(Box::new(all.clone()));
        for (offset, length) in [(0, 1), (BLOCK - 1, 2), (3, 5 * BLOCK), (all.len(), 0)] {
            let mut read = vec![9];
            blocks.read(offset as u64, length, &mut read).unwrap();
            assert_eq!(read[1..], all[offset..offset + length]);
        }
        let mut read = vec![9];
        assert_eq!(blocks.read(all.len() as u64 - 1, 2, &mut read), None);
        assert_eq!(blocks.read(u64::MAX, 2, &mut read), None);
        assert_eq!(read, [9]);
    }

    #[test]
    fn a_file_that_is_written_to_is_not_what_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "before").unwrap();
        let file = Unchanged::new(File::open(&path).unwrap()).unwrap();
        assert!(file.is_unchanged());
        std::fs::write(&path, "after it").unwrap();
        assert!(!file.is_unchanged());
    }
}
