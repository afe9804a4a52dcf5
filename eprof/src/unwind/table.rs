//! The unwind table of one object.

use std::sync::Arc;

use eprof_common::table::{CHUNK_ROWS, PAGE_BITS};
use eprof_common::{Page, Rule};

use object::ReadRef;

use super::compile::compile;
use super::image::Segment;
use super::store::{Rows, Rules, Store};

/// The size to which the kernel rounds offsets down when it maps a segment
/// (ELF_PAGESTART of fs/binfmt_elf.c; no page is smaller).
const PAGE: u64 = 4096;

/// The unwind table of one object, as it lies in the store.
pub struct Table {
    pub(super) base: u64,
    pub(super) code: Vec<Segment>,
    /// Its first page in the kernel's map.
    pub(super) first_page: u32,
    pub(super) pages: Vec<Page>,
    /// The chunk at the beginning of `chunks`.
    pub(super) first_chunk: usize,
    pub(super) chunks: Vec<Arc<Rows>>,
    pub(super) rules: Arc<Rules>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("base", &self.base)
            .field("pages", &self.pages.len())
            .finish_non_exhaustive()
    }
}

impl Table {
    /// Compiles the unwind information of an ELF file, into a store of its
    /// own; `None` where there is none.
    pub fn compile<'data, R: ReadRef<'data>>(data: R) -> Option<Self> {
        Store::new(None).add(&compile(data)?)
    }

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
        let count = u32::try_from(self.pages.len()).unwrap_or(u32::MAX);
        (self.first_page, count)
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.pages.iter().map(|page| page.rows as usize).sum()
    }

    /// The rule for the code at `relative`; `None` where there is no unwind
    /// information at all.
    pub fn rule(&self, relative: u64) -> Option<Rule> {
        let page = usize::try_from(relative >> PAGE_BITS).ok()?;
        let Page { from, rows } = *self.pages.get(page)?;
        let (from, rows) = (from as usize, rows as usize);
        let chunk = self
            .chunks
            .get((from / CHUNK_ROWS).checked_sub(self.first_chunk)?)?;
        let from = from % CHUNK_ROWS;
        let low_bits = relative as u32 & 0xffff;
        let (mut low, mut high) = (0, rows);
        while low < high {
            let middle = low.midpoint(high);
            if chunk.get(from + middle) & 0xffff <= low_bits {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let row = chunk.get(from + low.checked_sub(1)?);
        self.rules.get((row >> 16) as u16)
    }
}
