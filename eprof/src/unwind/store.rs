//! Where pages of rows and rules are kept: in maps that the sampling program
//! reads, or in eprof's own memory where the kernel does not walk. A page is
//! compiled when it is asked for.

use std::collections::HashMap;
use std::sync::Arc;

use eprof_common::sample::ResumeFrame;
use eprof_common::table::{CHUNK_ROWS, MAX_CHUNKS, MAX_PAGES, MAX_RULES, PAGE_BITS};
use eprof_common::{Page, Rule};

use super::bytes::Bytes;
use super::compile::{PageRows, Source};
use super::table::Table;
use super::trampoline;
use crate::kernel::{ComingChunk, KernelChunk, KernelTables};

/// Most files that are kept open.
const MOST_OPEN: usize = 256;

/// Files of no more pages are compiled as a whole before they are closed.
const FEW_PAGES: u32 = 32;

/// Where so much of the last chunk is in use, the next one is made.
const NEARLY_FULL: usize = CHUNK_ROWS / 4 * 3;

/// A block of rows.
enum Rows {
    Kernel(KernelChunk),
    Own(Box<[u32]>),
}

impl Rows {
    fn get(&self, place: usize) -> u32 {
        match self {
            Self::Kernel(chunk) => chunk.row(place),
            Self::Own(rows) => rows.get(place).copied().unwrap_or(0),
        }
    }

    fn set(&mut self, place: usize, row: u32) {
        match self {
            Self::Kernel(chunk) => chunk.set_row(place, row),
            Self::Own(rows) => {
                if let Some(at) = rows.get_mut(place) {
                    *at = row;
                }
            }
        }
    }
}

/// A file whose pages are not all compiled.
struct Open {
    source: Source,
    table: Arc<Table>,
    /// When it was last of use, on `Store::clock`.
    used: u64,
}

/// Why there is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The file has no unwind information.
    Without,
    /// There is no room for it.
    Full,
}

/// Keeps the tables of all objects.
pub struct Store {
    kernel: Option<KernelTables>,
    chunks: Vec<Rows>,
    /// The next one of the kernel's, which takes time.
    coming: Option<ComingChunk>,
    /// Rows of the last chunk that are in use.
    used: usize,
    pages: Vec<Page>,
    rules: Vec<Rule>,
    numbers: HashMap<Rule, u16>,
    /// By first page.
    open: HashMap<u32, Open>,
    clock: u64,
    /// Pages that were compiled.
    compiled: u64,
    /// Pages that could not be.
    refused: u64,
}

impl Store {
    /// An empty store, whose tables the kernel can read if it is given its
    /// own.
    pub fn new(kernel: Option<KernelTables>) -> Self {
        let mut store = Self {
            kernel,
            chunks: Vec::new(),
            coming: None,
            used: CHUNK_ROWS,
            pages: Vec::new(),
            rules: Vec::new(),
            numbers: HashMap::new(),
            open: HashMap::new(),
            clock: 0,
            compiled: 0,
            refused: 0,
        };
        // There is always room for this one.
        store.number(Rule::of(Rule::UNSUPPORTED));
        store.prepare();
        store
    }

    /// Sees to it that the next chunk will be there soon.
    fn prepare(&mut self) {
        if let Some(kernel) = self.kernel.as_ref().filter(|_| self.coming.is_none()) {
            self.coming = kernel.begin_chunk(self.chunks.len()).ok();
        }
    }

    /// Takes in a file, of which nothing is compiled yet.
    ///
    /// # Errors
    /// Why it has no table.
    pub fn open(&mut self, bytes: Box<dyn Bytes>) -> Result<Arc<Table>, Refusal> {
        let source = Source::open(bytes).ok_or(Refusal::Without)?;
        let count = source.pages();
        let first = self.pages.len();
        if first + count as usize > MAX_PAGES {
            return Err(Refusal::Full);
        }
        self.make_room();
        for number in first..first + count as usize {
            self.pages.push(Page::PENDING);
            if let Some(kernel) = &self.kernel {
                kernel.set_page(number, Page::PENDING);
            }
        }
        let table = Arc::new(Table {
            base: source.base(),
            code: source.code().to_vec(),
            first: u32::try_from(first).map_err(|_| Refusal::Full)?,
            count,
        });
        self.clock += 1;
        let open = Open {
            source,
            table: Arc::clone(&table),
            used: self.clock,
        };
        self.open.insert(table.first, open);
        Ok(table)
    }

    /// Adds [`trampoline::PAGES`] pages that are all the same; gives the number
    /// of the first.
    pub(super) fn add(&mut self, rows: &PageRows) -> Option<u32> {
        let first = self.pages.len();
        if first + trampoline::PAGES as usize > MAX_PAGES {
            return None;
        }
        let packed = self.packed(rows);
        let page = self.put(&packed)?;
        for number in first..first + trampoline::PAGES as usize {
            self.pages.push(page);
            if let Some(kernel) = &self.kernel {
                kernel.set_page(number, page);
            }
        }
        u32::try_from(first).ok()
    }

    /// Rows as they are stored.
    fn packed(&mut self, rows: &PageRows) -> Vec<u32> {
        rows.iter()
            .map(|&(low, rule)| u32::from(low) | u32::from(self.number(rule)) << 16)
            .collect()
    }

    /// Tells the kernel which frames a thread's stack has.
    pub fn tell(&self, thread: u64, frames: &[ResumeFrame]) {
        if let Some(kernel) = self.kernel.as_ref().filter(|_| thread != 0) {
            kernel.keep_frames(thread, frames);
        }
    }

    /// Pages that were compiled.
    pub fn compiled(&self) -> u64 {
        self.compiled
    }

    /// Pages for which there was no room, or whose file could not be kept
    /// open.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        let full = self.chunks.len().saturating_sub(1) * CHUNK_ROWS;
        let last = if self.chunks.is_empty() { 0 } else { self.used };
        full + last
    }

    /// The rule for the code at `relative` of a table of this store, compiled
    /// if need be.
    pub fn rule(&mut self, table: &Table, relative: u64) -> Rule {
        let none = Rule::DOUBTFUL;
        let number = u32::try_from(relative >> PAGE_BITS).unwrap_or(u32::MAX);
        let Some(mut page) = self.page(table, number) else {
            return none;
        };
        if page == Page::PENDING {
            self.compile(table, number);
            page = self.page(table, number).unwrap_or_default();
        }
        self.find(page, relative as u16).unwrap_or(none)
    }

    fn page(&self, table: &Table, number: u32) -> Option<Page> {
        let inside = number < table.count;
        let place = table.first as usize + number as usize;
        inside.then(|| self.pages.get(place)).flatten().copied()
    }

    fn find(&self, page: Page, low_bits: u16) -> Option<Rule> {
        let (from, rows) = (page.from as usize, page.rows as usize);
        let chunk = self.chunks.get(from / CHUNK_ROWS)?;
        let from = from % CHUNK_ROWS;
        let (mut low, mut high) = (0, rows);
        while low < high {
            let middle = low.midpoint(high);
            if chunk.get(from + middle) as u16 <= low_bits {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let row = chunk.get(from + low.checked_sub(1)?);
        self.rules.get((row >> 16) as usize).copied()
    }

    /// Compiles a page. One that cannot be is without unwind information from
    /// now on.
    pub fn compile(&mut self, table: &Table, number: u32) {
        self.clock += 1;
        let rows = match self.open.get_mut(&table.first) {
            Some(open) => {
                open.used = self.clock;
                open.source.page(number)
            }
            None => Vec::new(),
        };
        let nothing = rows.iter().all(|(_, rule)| *rule == Rule::DOUBTFUL);
        let stored = if nothing {
            Some(Page::default())
        } else {
            let packed = self.packed(&rows);
            self.put(&packed)
        };
        self.compiled += u64::from(stored.is_some());
        self.refused += u64::from(stored.is_none());
        self.set(table, number, stored.unwrap_or_default());
    }

    fn set(&mut self, table: &Table, number: u32, page: Page) {
        let place = table.first as usize + number as usize;
        if let Some(known) = self.pages.get_mut(place) {
            *known = page;
            if let Some(kernel) = &self.kernel {
                kernel.set_page(place, page);
            }
        }
    }

    /// Closes the file that was of no use for the longest time, if there are
    /// too many.
    fn make_room(&mut self) {
        if self.open.len() < MOST_OPEN {
            return;
        }
        let oldest = self.open.values().min_by_key(|open| open.used);
        let Some(table) = oldest.map(|open| Arc::clone(&open.table)) else {
            return;
        };
        for number in 0..table.count {
            if self.page(&table, number) != Some(Page::PENDING) {
                continue;
            }
            if table.count <= FEW_PAGES {
                self.compile(&table, number);
            } else {
                self.refused += 1;
                self.set(&table, number, Page::default());
            }
        }
        self.open.remove(&table.first);
    }

    /// Stores the rows of a page, all in one chunk.
    fn put(&mut self, rows: &[u32]) -> Option<Page> {
        if rows.len() > CHUNK_ROWS {
            return None;
        }
        if self.used + rows.len() > CHUNK_ROWS {
            if self.chunks.len() == MAX_CHUNKS {
                return None;
            }
            self.prepare();
            let chunk = match &self.kernel {
                Some(_) => Rows::Kernel(self.coming.take()?.wait().ok()?),
                None => Rows::Own(vec![0; CHUNK_ROWS].into_boxed_slice()),
            };
            self.chunks.push(chunk);
            self.used = 0;
        }
        let number = self.chunks.len() - 1;
        let chunk = self.chunks.last_mut()?;
        for (place, row) in (self.used..).zip(rows) {
            chunk.set(place, *row);
        }
        let from = number * CHUNK_ROWS + self.used;
        self.used += rows.len();
        if self.used > NEARLY_FULL && self.chunks.len() < MAX_CHUNKS {
            self.prepare();
        }
        Some(Page {
            from: u32::try_from(from).ok()?,
            rows: u32::try_from(rows.len()).ok()?,
        })
    }

    /// The number of a rule; that of the unsupported where there are too many.
    fn number(&mut self, rule: Rule) -> u16 {
        if let Some(&number) = self.numbers.get(&rule) {
            return number;
        }
        let next = self.rules.len();
        let Ok(number) = u16::try_from(next) else {
            return 0;
        };
        if next >= MAX_RULES {
            return 0;
        }
        if let Some(kernel) = &self.kernel {
            kernel.set_rule(next, &rule);
        }
        self.rules.push(rule);
        self.numbers.insert(rule, number);
        number
    }
}
