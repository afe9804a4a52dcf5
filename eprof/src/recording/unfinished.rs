//! Whether a recording has its end, told without reading all of it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::compress::Decompression;
use super::format::{BLOCK_HEAD, BlockHead, MAGIC, PROLOGUE, VERSION, checksum};
use super::interval_header::{self, INTERVAL};
use super::record::Record;
use crate::measurement::Event;

/// Whether `file` is a recording that was cut off: by a full disk, or because
/// eprof was killed. What is no recording, or one of another version, is not.
pub fn is_unfinished(file: &File) -> bool {
    let mut prologue = [0; PROLOGUE as usize];
    if file.read_exact_at(&mut prologue, 0).is_err() {
        // Not even that was written.
        return file.metadata().is_ok_and(|of| of.len() < PROLOGUE);
    }
    let [magic @ .., a, b, c, d] = prologue;
    if magic != MAGIC || u32::from_le_bytes([a, b, c, d]) != VERSION {
        return false;
    }
    let mut blocks = Blocks {
        file,
        at: PROLOGUE,
        crc: 0,
    };
    let Some(first) = blocks.next() else {
        return true;
    };
    let last = blocks.last().unwrap_or(first);
    let Some(events) = first.records(file).and_then(|records| events(&records)) else {
        return true;
    };
    last.records(file)
        .is_none_or(|records| !ends(&records, &events))
}

/// A block of a file.
#[derive(Clone, Copy)]
struct Block {
    /// Where it begins.
    at: u64,
    head: BlockHead,
    /// The CRC of the block before it.
    before: u32,
    bytes: [u8; BLOCK_HEAD],
}

/// The blocks of a file, as far as their heads lead.
struct Blocks<'a> {
    file: &'a File,
    at: u64,
    /// The CRC of the last one.
    crc: u32,
}

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let mut bytes = [0; BLOCK_HEAD];
        self.file.read_exact_at(&mut bytes, self.at).ok()?;
        let head = BlockHead::decode(&bytes);
        let block = Block {
            at: self.at,
            head,
            before: self.crc,
            bytes,
        };
        self.crc = head.crc;
        let parts = u64::from(head.records.compressed) + u64::from(head.samples.compressed);
        self.at += BLOCK_HEAD as u64 + parts;
        head.within_limits().then_some(block)
    }
}

impl Block {
    /// Its records; `None` where it is cut off or damaged.
    fn records(&self, file: &File) -> Option<Vec<u8>> {
        let Self {
            at,
            head,
            before,
            bytes,
        } = self;
        let [records, samples] = [head.records, head.samples].map(|part| part.compressed as usize);
        let begin = at + BLOCK_HEAD as u64;
        let there = file.metadata().ok()?.len().saturating_sub(begin);
        if there < (records + samples) as u64 {
            return None;
        }
        let mut parts = vec![0; records + samples];
        file.read_exact_at(&mut parts, begin).ok()?;
        if checksum(*before, bytes, &parts) != head.crc {
            return None;
        }
        let mut plain = Vec::new();
        let compressed = parts.get(..records)?;
        Decompression::default().decompress(compressed, head.records, &mut plain)?;
        Some(plain)
    }
}

/// The events of the header with which a recording begins.
fn events(records: &[u8]) -> Option<Vec<Event>> {
    match postcard::take_from_bytes(records).ok()? {
        (Record::Header(header), _) => Some(header.events),
        _ => None,
    }
}

/// Whether the last of these records is an end.
fn ends(mut records: &[u8], events: &[Event]) -> bool {
    loop {
        let (record, rest) = match records {
            [INTERVAL, interval @ ..] => match interval_header::decode(interval, events) {
                Ok(decoded) => (decoded.record, decoded.rest),
                Err(_) => return false,
            },
            other => match postcard::take_from_bytes(other) {
                Ok(decoded) => decoded,
                Err(_) => return false,
            },
        };
        if rest.is_empty() {
            return matches!(record, Record::End(_));
        }
        records = rest;
    }
}
