//! Parts of frames become smaller, and what they were: Zstandard, and deflate
//! as older versions of the format had it.

use std::fmt;
use std::io::{self, Read};

use flate2::read::DeflateDecoder;
use zstd::bulk::{Compressor, Decompressor};

use super::format::Part;

/// How hard Zstandard tries: little, as that is done beside the target.
const LEVEL: i32 = 1;

/// Packs parts of frames.
pub(super) struct Compression(Compressor<'static>);

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packer")
    }
}

impl Compression {
    pub(super) fn new() -> io::Result<Self> {
        Compressor::new(LEVEL).map(Self)
    }

    /// Packs `plain` and adds it to the end of `out`; of nothing, nothing.
    pub(super) fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<Part> {
        if plain.is_empty() {
            return Ok(Part::default());
        }
        let packed = self.0.compress(plain)?;
        out.extend_from_slice(&packed);
        Ok(Part::new(&packed, plain))
    }
}

/// Unpacks them.
#[derive(Default)]
pub(super) struct Decompression(Decompressor<'static>);

impl fmt::Debug for Decompression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unpacker")
    }
}

impl Decompression {
    /// Unpacks what is `part` into `plain`; `None` if it is not that.
    pub(super) fn decompress(
        &mut self,
        packed: &[u8],
        part: Part,
        plain: &mut Vec<u8>,
    ) -> Option<()> {
        plain.clear();
        if part == Part::default() {
            return Some(());
        }
        // More than that is never written.
        plain.reserve(part.plain as usize);
        let length = self.0.decompress_to_buffer(packed, plain).ok()?;
        (length == part.plain as usize).then_some(())
    }
}

/// The same of what deflate packed.
pub(super) fn inflate(packed: &[u8], part: Part, plain: &mut Vec<u8>) -> Option<()> {
    plain.clear();
    let mut decoder = DeflateDecoder::new(packed);
    let mut limited = (&mut decoder).take(u64::from(part.plain) + 1);
    limited.read_to_end(plain).ok()?;
    let all = plain.len() == part.plain as usize && decoder.total_in() == packed.len() as u64;
    all.then_some(())
}
