//! Where the unwind table of one object lies.

use super::segment::Segment;

/// The size to which the kernel rounds offsets down when it maps a segment
/// (ELF_PAGESTART of fs/binfmt_elf.c; no page is smaller).
const PAGE: u64 = 4096;

/// The unwind table of one object: which pages of the store are those of its
/// code, whether they are compiled or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The address that places are relative to.
    pub(super) base: u64,
    pub(super) code: Vec<Segment>,
    /// Its first page, and how many it has.
    pub(super) first: u32,
    pub(super) count: u32,
}

impl Table {
    /// The executable segments.
    pub fn code(&self) -> &[Segment] {
        &self.code
    }

    /// The address to which places are relative.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The place of the byte at `offset` of the file, relative to the first
    /// page; `None` where no code is mapped from there.
    pub fn relative(&self, offset: u64) -> Option<u64> {
        let segment = self.code.iter().find(|segment| {
            let begin = segment.offset / PAGE * PAGE;
            (begin..segment.offset.saturating_add(segment.length)).contains(&offset)
        })?;
        let address = segment
            .address
            .wrapping_add(offset)
            .wrapping_sub(segment.offset);
        Some(address.wrapping_sub(self.base))
    }

    /// Its first page in the kernel's map, and how many it has.
    pub fn pages(&self) -> (u32, u32) {
        (self.first, self.count)
    }
}
