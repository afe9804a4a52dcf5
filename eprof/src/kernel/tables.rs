//! The maps that hold unwind tables, as user space fills them.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::Ordering::{Relaxed, Release};

use aya::Ebpf;
use eprof_common::table::{MAX_CHUNKS, MAX_PAGES, MAX_RULES};
use eprof_common::{Chunk, Page, Rule};

use super::bpf;
use super::chunk_types::ChunkTypes;
use super::load;
use super::shared::Shared;
use crate::error::{Error, ErrorKind, Result};

/// Pages, rules and chunks of rows. Rows and rules that were stored once are
/// never changed, for the sampling program may be reading them; a page is one
/// word, and becomes known after its rows are.
pub struct KernelTables {
    pages: Shared<Page>,
    rules: Shared<Rule>,
    /// The map of chunks.
    chunks: OwnedFd,
    types: ChunkTypes,
}

/// One chunk of rows.
pub struct KernelChunk(Shared<Chunk>);

impl KernelTables {
    /// Those of a loaded object.
    pub(super) fn of(ebpf: &Ebpf) -> Result<Self> {
        let refused = |what: &str, error: &io::Error| load::refusal(what, error);
        let map = |name: &str| load::map_fd(ebpf, name);
        Ok(Self {
            pages: Shared::map(map("PAGES")?, MAX_PAGES)
                .map_err(|error| refused("map PAGES", &error))?,
            rules: Shared::map(map("RULES")?, MAX_RULES)
                .map_err(|error| refused("map RULES", &error))?,
            chunks: map("CHUNKS")?
                .try_clone_to_owned()
                .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?,
            types: ChunkTypes::load().map_err(|error| refused("types of chunks", &error))?,
        })
    }

    /// Stores where the rows of a page are. Nothing for a page that does not
    /// exist.
    pub fn set_page(&self, index: usize, page: Page) {
        if index < self.pages.len() {
            self.pages.u64(index, 0).store(page.word(), Release);
        }
    }

    /// Stores a rule. Nothing for a number that does not exist.
    pub fn set_rule(&self, index: usize, rule: &Rule) {
        if index >= self.rules.len() {
            return;
        }
        let kinds = u32::from_ne_bytes([rule.cfa, rule.fp, rule.ra, rule.zero]);
        let offsets = [rule.cfa_offset, rule.fp_offset, rule.ra_offset, rule.add];
        self.rules.u32(index, 0).store(kinds, Relaxed);
        for (place, offset) in offsets.into_iter().enumerate() {
            let at = offset_of!(Rule, cfa_offset) + place * 4;
            self.rules.u32(index, at).store(offset as u32, Relaxed);
        }
    }

    /// Adds chunk number `index`. Takes as long as the kernel needs to be sure
    /// that nobody uses what was there before (tens of milliseconds), although
    /// nothing was.
    pub fn add_chunk(&mut self, index: usize) -> io::Result<KernelChunk> {
        let index = u32::try_from(index)
            .ok()
            .filter(|&index| (index as usize) < MAX_CHUNKS)
            .ok_or(io::ErrorKind::OutOfMemory)?;
        let map = bpf::create_array(size_of::<Chunk>() as u32, self.types.types())?;
        let chunk = Shared::map(map.as_fd(), 1)?;
        bpf::set_fd(self.chunks.as_fd(), index, map.as_fd())?;
        Ok(KernelChunk(chunk))
    }
}

impl KernelChunk {
    /// A row; zero where there is none.
    pub fn row(&self, place: usize) -> u32 {
        if place < eprof_common::table::CHUNK_ROWS {
            self.0.u32(0, place * 4).load(Relaxed)
        } else {
            0
        }
    }

    /// Stores a row.
    pub fn set_row(&self, place: usize, row: u32) {
        if place < eprof_common::table::CHUNK_ROWS {
            self.0.u32(0, place * 4).store(row, Relaxed);
        }
    }
}
