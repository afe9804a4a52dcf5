//! Reading blocks: bytes of the file become bytes of records, or damage.

use std::io::{ErrorKind as Io, Read};

use crate::error::{Error, ErrorKind, Result};

use super::compress::Decompression;
use super::format::{self, BLOCK_HEAD, BlockHead, MAGIC, PROLOGUE, VERSION};
use super::merged_head;

/// Why a recording cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// It ends inside a block.
    Cut,
    /// A block's lengths, CRC or compression are wrong.
    Corrupt,
    /// The file cannot be read there.
    Unreadable(String),
}

/// The blocks of a recording.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    input: R,
    /// Where the next block begins, in bytes from the start of the recording.
    pub(super) offset: u64,
    /// The CRC of the block before it.
    crc: u32,
    /// The parts of the block, compressed.
    parts: Vec<u8>,
    decompression: Decompression,
}

impl<R: Read> Blocks<R> {
    /// Reads what precedes the first block.
    pub(super) fn new(mut input: R) -> Result<Self> {
        let mut prologue = Vec::with_capacity(PROLOGUE as usize);
        (&mut input)
            .take(PROLOGUE)
            .read_to_end(&mut prologue)
            .map_err(|error| Error::new(ErrorKind::Input, format!("cannot be read: {error}")))?;
        if prologue.starts_with(&merged_head::MAGIC) {
            return Err(Error::new(
                ErrorKind::Data,
                "holds several recordings, which have no common time line",
            )
            .hint("give one of the recordings that were merged"));
        }
        let Some(version) = prologue.strip_prefix(&MAGIC) else {
            return Err(Error::new(
                ErrorKind::Data,
                "is not a recording of eprof (it begins otherwise)",
            ));
        };
        let Ok(version) = version.try_into().map(u32::from_le_bytes) else {
            return Err(Error::new(
                ErrorKind::Data,
                "is a recording that was cut off before it began",
            ));
        };
        if version != VERSION {
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "is a recording in format {version}, and this eprof ({}) reads format {VERSION}",
                    env!("CARGO_PKG_VERSION")
                ),
            )
            .hint("read it with the version of eprof that recorded it"));
        }
        Ok(Self {
            input,
            offset: PROLOGUE,
            crc: 0,
            parts: Vec::new(),
            decompression: Decompression::default(),
        })
    }

    /// Decompresses the next block into `records` and `samples` (if these are
    /// wanted) and answers whether there was one. After damage there are no
    /// more blocks to be asked for.
    pub(super) fn next(
        &mut self,
        records: &mut Vec<u8>,
        samples: Option<&mut Vec<u8>>,
    ) -> Result<bool, Damage> {
        records.clear();
        let mut bytes = [0; BLOCK_HEAD];
        match fill(&mut self.input, &mut bytes)? {
            0 => return Ok(false),
            BLOCK_HEAD => {}
            _ => return Err(Damage::Cut),
        }
        let head = BlockHead::decode(&bytes);
        if !head.within_limits() {
            return Err(Damage::Corrupt);
        }
        // The vector grows with what is really there, not with what the
        // lengths promise.
        self.parts.clear();
        let length = u64::from(head.records.compressed) + u64::from(head.samples.compressed);
        (&mut self.input)
            .take(length)
            .read_to_end(&mut self.parts)
            .map_err(unreadable)?;
        if (self.parts.len() as u64) < length {
            return Err(Damage::Cut);
        }
        if format::checksum(self.crc, &bytes, &self.parts) != head.crc {
            return Err(Damage::Corrupt);
        }
        self.crc = head.crc;
        let (first, second) = self.parts.split_at(head.records.compressed as usize);
        let mut decompressed = self.decompression.decompress(first, head.records, records);
        if let Some(samples) = samples {
            decompressed = decompressed
                .and_then(|()| self.decompression.decompress(second, head.samples, samples));
        }
        decompressed.ok_or(Damage::Corrupt)?;
        self.offset += bytes.len() as u64 + length;
        Ok(true)
    }
}

/// Reads until `buffer` is full or the input ends; answers how much it read.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Damage> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == Io::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    Ok(filled)
}

/// An I/O error as damage.
fn unreadable(error: std::io::Error) -> Damage {
    Damage::Unreadable(error.to_string())
}
