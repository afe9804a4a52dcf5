//! The format of `eprof.data`: its constants, and what precedes a block.
//! `docs/recording-format.md` describes it, completely enough to write a reader
//! from.

/// The first eight bytes.
pub const MAGIC: [u8; 8] = *b"EPROF\0\r\n";

/// The version of the format that this eprof writes and reads.
pub const VERSION: u32 = 7;

/// Length of what precedes the first block, in bytes.
pub const PROLOGUE: u64 = 12;

/// Length of what precedes a block's parts, in bytes.
pub const BLOCK_HEAD: usize = 20;

/// Largest part of a block, in bytes: bounds what a reader must hold.
pub const MAX_BLOCK: usize = 16 << 20;

/// Largest compressed part, in bytes. Zstandard adds at most 3 bytes per 128 KiB
/// (RFC 8878, 3.1.1.2) to what it cannot compress.
pub const MAX_COMPRESSED: usize = MAX_BLOCK + (64 << 10);

/// Largest record that is no interval, in bytes: such are small by nature, and
/// the lists of strings in them take at most two dozen times as much in memory.
pub const MAX_RECORD: usize = 2 << 20;

/// Most samples of an interval: bounds what a reader must hold, as columns of
/// equal values take no room. (128 CPUs, 10 kHz,
/// 0.2 s, each time another stack.)
pub const MAX_SAMPLES: usize = 256 << 10;

/// Most accounts of threads of an interval: bounds what a reader must hold. There
/// is one per thread and CPU group in which it ran.
pub const MAX_THREADS: usize = 256 << 10;

/// How many bytes of records may pile up before a block is written although
/// the interval is still open.
pub const FULL_BLOCK: usize = 1 << 20;

/// How long a part of a block is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// As it is in the file.
    pub compressed: u32,
    /// Decompressed.
    pub plain: u32,
}

impl Part {
    /// The lengths of a part that was compressed.
    pub fn new(compressed: &[u8], plain: &[u8]) -> Self {
        let length = |of: &[u8]| u32::try_from(of.len()).unwrap_or(u32::MAX);
        Self {
            compressed: length(compressed),
            plain: length(plain),
        }
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn within_limits(self) -> bool {
        (1..=MAX_COMPRESSED).contains(&(self.compressed as usize))
            && (1..=MAX_BLOCK).contains(&(self.plain as usize))
    }
}

/// What precedes a block's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHead {
    /// The records.
    pub records: Part,
    /// The samples; may be empty.
    pub samples: Part,
    /// CRC-32 of the lengths and the compressed parts of this block and all before it.
    pub crc: u32,
}

impl BlockHead {
    /// Whether all lengths are within the format's limits.
    pub fn within_limits(self) -> bool {
        self.records.within_limits() && (self.samples.is_empty() || self.samples.within_limits())
    }

    /// The head of a block with these `parts`, as it is in the file behind a block whose
    /// CRC is `before`.
    pub fn encode(before: u32, records: Part, samples: Part, parts: &[u8]) -> [u8; BLOCK_HEAD] {
        let mut bytes = [0; BLOCK_HEAD];
        let lengths = [
            records.compressed,
            records.plain,
            samples.compressed,
            samples.plain,
        ];
        let mut words = bytes.chunks_exact_mut(4);
        for (word, length) in words.by_ref().zip(lengths) {
            word.copy_from_slice(&length.to_le_bytes());
        }
        let crc = checksum(before, &bytes, parts);
        bytes[BLOCK_HEAD - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The head from its bytes in the file.
    pub fn decode(bytes: &[u8; BLOCK_HEAD]) -> Self {
        let (words, _) = bytes.as_chunks::<4>();
        let word = |at: usize| u32::from_le_bytes(words[at]);
        let part = |at: usize| Part {
            compressed: word(at),
            plain: word(at + 1),
        };
        Self {
            records: part(0),
            samples: part(2),
            crc: word(4),
        }
    }
}

/// The CRC of a block with these `parts`, of whose head all is known but that. It goes on
/// from the CRC `before` it, which is zero for the first: so no block can be taken out.
pub fn checksum(before: u32, head: &[u8], parts: &[u8]) -> u32 {
    let (lengths, _) = head.split_at(head.len().saturating_sub(4));
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(lengths);
    hasher.update(parts);
    hasher.finalize()
}
