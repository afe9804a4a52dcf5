//! Type information of a chunk of rows.
//!
//! A map that is put into a map of maps has to be like those it was declared to hold.
//! Up to Linux 6.1 the kernel also compares whether it has looked for timers and locks
//! in the values (kernel/bpf/map_in_map.c, `bpf_map_meta_equal`). It looks where a map
//! has types. The maps in the object have types, so a chunk needs some, too.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use eprof_common::Chunk;
use eprof_common::table::CHUNK_ROWS;

use crate::kernel::bpf;
use crate::kernel::bpf::Types;

/// `BTF_MAGIC` and version 1 (include/uapi/linux/btf.h).
const MAGIC: u32 = 0x0001_eb9f;
/// `sizeof(struct btf_header)`.
const HEADER: u32 = 24;
/// Kinds of `struct btf_type::info`.
const INT: u32 = 1 << 24;
const ARRAY: u32 = 3 << 24;
const STRUCT: u32 = 4 << 24;
/// Names, by their offsets: none at 0, `u32` at 1, `Chunk` at 5, `rows` at 11.
const STRINGS: &[u8; 16] = b"\0u32\0Chunk\0rows\0";

/// The types, loaded.
#[derive(Debug)]
pub(in crate::kernel) struct ChunkTypes(OwnedFd);

impl ChunkTypes {
    /// Loads them.
    pub(in crate::kernel) fn load() -> io::Result<Self> {
        bpf::load_btf(&btf()).map(Self)
    }

    /// What a map of one chunk is to be created with.
    pub(in crate::kernel) fn types(&self) -> Types<'_> {
        Types {
            btf: self.0.as_fd(),
            key: 1,
            value: 3,
        }
    }
}

/// `struct Chunk { u32 rows[CHUNK_ROWS]; }`, types 3, 2 and 1
/// (Documentation/bpf/btf.rst).
fn btf() -> Vec<u8> {
    let types = [
        // u32: 32 bits, unsigned
        [1, INT, 4].as_slice(),
        &[32],
        // an array of type 1, by type 1
        &[0, ARRAY, 0],
        &[1, 1, CHUNK_ROWS as u32],
        // a structure of one member of type 2 at offset 0
        &[5, STRUCT | 1, size_of::<Chunk>() as u32],
        &[11, 2, 0],
    ]
    .concat();
    let length = (types.len() * 4) as u32;
    let header = [MAGIC, HEADER, 0, length, length, STRINGS.len() as u32];
    let words = header.into_iter().chain(types);
    let mut bytes: Vec<u8> = words.flat_map(u32::to_ne_bytes).collect();
    bytes.extend(STRINGS);
    bytes
}
