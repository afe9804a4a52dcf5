//! Parts of blocks become smaller, and what they were: Zstandard.

use std::fmt;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

use super::format::Part;

/// How hard Zstandard tries: little, as that is done beside the target.
const LEVEL: i32 = 1;

/// Compresses parts of blocks.
pub(super) struct Compression(Compressor<'static>);

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compression")
    }
}

impl Compression {
    pub(super) fn new() -> io::Result<Self> {
        Compressor::new(LEVEL).map(Self)
    }

    /// Compresses `plain` and adds it to the end of `out`; of nothing, nothing.
    pub(super) fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<Part> {
        if plain.is_empty() {
            return Ok(Part::default());
        }
        let compressed = self.0.compress(plain)?;
        out.extend_from_slice(&compressed);
        Ok(Part::new(&compressed, plain))
    }
}

/// Decompresses them.
#[derive(Default)]
pub(super) struct Decompression(Decompressor<'static>);

impl fmt::Debug for Decompression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decompression")
    }
}

impl Decompression {
    /// Decompresses what is `part` into `plain`; `None` if it is not that.
    pub(super) fn decompress(
        &mut self,
        compressed: &[u8],
        part: Part,
        plain: &mut Vec<u8>,
    ) -> Option<()> {
        plain.clear();
        if part == Part::default() {
            return Some(());
        }
        // More than that is never written.
        plain.reserve(part.plain as usize);
        let length = self.0.decompress_to_buffer(compressed, plain).ok()?;
        (length == part.plain as usize).then_some(())
    }
}
