//! Reading whole files, into memory.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// How much is read at a time.
const PIECE: usize = 1 << 20;

/// How many bytes of one file may be kept in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory(pub(super) u64);

impl Memory {
    pub(super) fn has_room_for(self, file: &File) -> bool {
        file.metadata()
            .is_ok_and(|metadata| metadata.len() <= self.0)
    }
}

/// A copy of `file` in memory.
pub(super) fn copied(file: &File) -> io::Result<File> {
    let mut copy = File::from(memfd_create("file", MFdFlags::MFD_CLOEXEC)?);
    let length = file.metadata()?.len();
    each_piece(file, length, |piece| copy.write_all(piece))?;
    Ok(copy)
}

/// The checksum by which debug links know a file.
pub(super) fn checksum(file: &File) -> io::Result<u32> {
    let mut sum = crc32fast::Hasher::new();
    let length = file.metadata()?.len();
    each_piece(file, length, |piece| {
        sum.update(piece);
        Ok(())
    })?;
    Ok(sum.finalize())
}

/// Reads the first `length` bytes of `file`, or as many as there are.
fn each_piece(
    file: &File,
    length: u64,
    each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    each_piece_from(file, 0, length, each)
}

/// Reads `length` bytes of `file` from `begin` on, or as many as there are.
pub(super) fn each_piece_from(
    file: &File,
    begin: u64,
    length: u64,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut bytes = vec![0; PIECE];
    let end = begin.saturating_add(length);
    let mut at = begin;
    while at < end {
        let most = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        let room = bytes.get_mut(..most).unwrap_or_default();
        match file.read_at(room, at) {
            Ok(0) => break,
            Ok(got) => {
                each(room.get(..got).unwrap_or_default())?;
                at += got as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
