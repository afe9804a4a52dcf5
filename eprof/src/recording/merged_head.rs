//! The bytes of a file of several recordings, apart from the recordings. Its
//! layout is told in `docs/recording-format.md`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// The first eight bytes. Two bits differ from those of a recording.
pub(super) const MAGIC: [u8; 8] = *b"EPROF\x03\r\n";

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// Length of what precedes the first member, in bytes.
pub(super) const PROLOGUE: u64 = 16;

/// Length of what precedes the labels of a member, in bytes.
pub(super) const HEAD: u64 = 16;

/// Longest labels of a member, in bytes.
pub(super) const MAX_LABELS: u32 = 1 << 20;

/// Most members of a file.
pub const MAX_MEMBERS: u32 = 1 << 20;

/// What tells a member from others: `host`, `rank`, `file`.
pub type Labels = BTreeMap<String, String>;

/// Where a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What tells it from others.
    pub labels: Labels,
    /// Where its recording begins in the file, in bytes.
    pub begin: u64,
    /// How long its recording is, in bytes.
    pub length: u64,
}

/// What precedes the members of a file of so many.
pub(super) fn prologue(members: u32) -> [u8; PROLOGUE as usize] {
    let mut bytes = [0; PROLOGUE as usize];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..].copy_from_slice(&members.to_le_bytes());
    bytes
}

/// What precedes the recording of a member that has `labels` and is `length`
/// bytes long.
///
/// # Errors
///
/// If the labels are absurdly long.
pub(super) fn encode(labels: &Labels, length: u64) -> io::Result<Vec<u8>> {
    let labels = postcard::to_stdvec(labels).map_err(io::Error::other)?;
    let short = u32::try_from(labels.len()).ok();
    let short = short.filter(|length| *length <= MAX_LABELS);
    let short = short.ok_or_else(|| io::Error::other("labels of more than a megabyte"))?;
    let mut head = Vec::with_capacity(HEAD as usize + labels.len());
    head.extend_from_slice(&short.to_le_bytes());
    head.extend_from_slice(&length.to_le_bytes());
    let crc = checksum(&head, &labels);
    head.extend_from_slice(&crc.to_le_bytes());
    head.extend_from_slice(&labels);
    Ok(head)
}

/// The member whose head is at `at` in a file of `length` bytes; `None` where
/// there is none that is whole (its recording may be cut off).
pub(super) fn decode(file: &File, at: u64, length: u64) -> io::Result<Option<Member>> {
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
    if checksum(&head[..12], &bytes) != u32::from_le_bytes([e, f, g, h]) {
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

/// The CRC of a member's lengths and labels.
fn checksum(lengths: &[u8], labels: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(lengths);
    crc.update(labels);
    crc.finalize()
}
