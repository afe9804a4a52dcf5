//! The maps that hold unwind tables, as user space fills them.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::thread::JoinHandle;

use eprof_common::sample::{FRAMES_KEPT, ResumeFrame, ResumeFrames, THREADS_KEPT};
use eprof_common::table::{MAX_CHUNKS, MAX_PAGES, MAX_RULES};
use eprof_common::{Chunk, Page, Rule};

use crate::error::{Error, ErrorKind, Result};
use crate::kernel::accounts::shared::Shared;
use crate::kernel::bpf;
use crate::kernel::loader::chunk_types::ChunkTypes;
use crate::kernel::loader::link::Linked;
use crate::kernel::priority::Priority;
use crate::kernel::refusal::refusal;

/// Pages, rules and chunks of rows. Rows and rules that were stored once are never
/// changed, for the sampling program may be reading them. A page is one word, which is
/// stored after its rows.
pub struct KernelTables {
    pages: Shared<Page>,
    rules: Shared<Rule>,
    kept: Shared<ResumeFrames>,
    chunks: Arc<Chunks>,
}

/// The map of chunks.
struct Chunks {
    map: OwnedFd,
    types: ChunkTypes,
}

/// A chunk that is being added.
pub struct Coming(JoinHandle<io::Result<KernelChunk>>);

/// One chunk of rows.
pub struct KernelChunk(Shared<Chunk>);

impl KernelTables {
    /// Those of a loaded object.
    pub(in crate::kernel) fn of(linked: &Linked) -> Result<Self> {
        let refused = |what: &str, error: &io::Error| refusal(what, error);
        let map = |name: &str| linked.map(name);
        Ok(Self {
            pages: Shared::map(map("PAGES")?, MAX_PAGES)
                .map_err(|error| refused("map PAGES", &error))?,
            rules: Shared::map(map("RULES")?, MAX_RULES)
                .map_err(|error| refused("map RULES", &error))?,
            kept: Shared::map(map("RESUME_FRAMES")?, THREADS_KEPT)
                .map_err(|error| refused("map RESUME_FRAMES", &error))?,
            chunks: Arc::new(Chunks {
                map: map("CHUNKS")?
                    .try_clone_to_owned()
                    .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?,
                types: ChunkTypes::load().map_err(|error| refused("types of chunks", &error))?,
            }),
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
        let kinds = u32::from_ne_bytes([rule.cfa, rule.fp, rule.ra, rule.mode]);
        let offsets = [
            rule.cfa_offset,
            rule.fp_offset,
            rule.ra_offset,
            rule.add,
            rule.second,
        ];
        self.rules.u32(index, 0).store(kinds, Relaxed);
        for (place, offset) in offsets.into_iter().enumerate() {
            let at = offset_of!(Rule, cfa_offset) + place * 4;
            self.rules.u32(index, at).store(offset as u32, Relaxed);
        }
    }

    /// Tells the sampling program at which frames of a thread's stack a walk can
    /// resume, innermost first. What it knew of frames farther out stays. The program
    /// may store frames at the same time; what is wrong then does no harm.
    pub fn keep_frames(&self, thread: u64, frames: &[ResumeFrame]) {
        let Some(last) = frames.last() else { return };
        let index = thread as usize & (THREADS_KEPT - 1);
        let word = |offset| self.kept.u32(index, offset);
        let list = word(offset_of!(ResumeFrames, list)).load(Relaxed);
        let first = (list as usize & 1) * FRAMES_KEPT;
        let frame = |number: usize, offset| {
            let at = offset_of!(ResumeFrames, lists) + (first + number) * size_of::<ResumeFrame>();
            self.kept.u64(index, at + offset)
        };
        let owner = self.kept.u64(index, offset_of!(ResumeFrames, thread));
        let known = word(offset_of!(ResumeFrames, known));
        let before = match owner.load(Relaxed) == thread {
            true => FRAMES_KEPT.min(known.load(Relaxed) as usize),
            false => 0,
        };
        let outer: Vec<ResumeFrame> = (0..before)
            .map(|number| ResumeFrame {
                pc: frame(number, offset_of!(ResumeFrame, pc)).load(Relaxed),
                sp: frame(number, offset_of!(ResumeFrame, sp)).load(Relaxed),
                fp: frame(number, offset_of!(ResumeFrame, fp)).load(Relaxed),
            })
            .filter(|frame| frame.sp > last.sp)
            .collect();
        let all = frames.iter().chain(&outer).take(FRAMES_KEPT);
        let mut count = 0;
        for (number, from) in all.enumerate() {
            frame(number, offset_of!(ResumeFrame, pc)).store(from.pc, Relaxed);
            frame(number, offset_of!(ResumeFrame, sp)).store(from.sp, Relaxed);
            frame(number, offset_of!(ResumeFrame, fp)).store(from.fp, Relaxed);
            count += 1;
        }
        known.store(count, Relaxed);
        owner.store(thread, Release);
    }

    /// Begins to add chunk number `index`, beside everything else. Nothing was there
    /// before, but the kernel waits until it is sure that nobody uses that: tens of
    /// milliseconds, or hundreds on a busy machine.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn begin_chunk(&self, index: usize) -> io::Result<Coming> {
        let chunks = Arc::clone(&self.chunks);
        let add = move || {
            let _raised = Priority::raise();
            chunks.add(index)
        };
        let thread = std::thread::Builder::new().name("eprof-chunk".to_owned());
        thread.spawn(add).map(Coming)
    }
}

impl Chunks {
    fn add(&self, index: usize) -> io::Result<KernelChunk> {
        let index = u32::try_from(index)
            .ok()
            .filter(|&index| (index as usize) < MAX_CHUNKS)
            .ok_or(io::ErrorKind::OutOfMemory)?;
        let map = bpf::create_array(size_of::<Chunk>() as u32, self.types.types())?;
        let chunk = Shared::map(map.as_fd(), 1)?;
        bpf::set_fd(self.map.as_fd(), index, map.as_fd())?;
        Ok(KernelChunk(chunk))
    }
}

impl Coming {
    /// Waits for it.
    ///
    /// # Errors
    /// Where the kernel refuses it.
    pub fn wait(self) -> io::Result<KernelChunk> {
        let ended = self.0.join();
        ended.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
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
