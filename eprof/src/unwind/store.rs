//! Where rows and rules are kept: in maps that the sampling program reads, or
//! in eprof's own memory where the kernel does not walk.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use eprof_common::table::{CHUNK_ROWS, MAX_CHUNKS, MAX_PAGES, MAX_RULES, PAGE_BITS};
use eprof_common::{Page, Rule};

use super::compile::Compiled;
use super::table::Table;
use crate::kernel::{KernelChunk, KernelTables};

/// All rules, by number; grows at the end only.
#[derive(Debug, Default)]
pub(super) struct Rules(RwLock<Vec<Rule>>);

impl Rules {
    pub(super) fn get(&self, number: u16) -> Option<Rule> {
        let rules = self.0.read().unwrap_or_else(PoisonError::into_inner);
        rules.get(usize::from(number)).copied()
    }

    fn push(&self, rule: Rule) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(rule);
    }
}

/// A block of rows.
pub(super) enum Rows {
    Kernel(KernelChunk),
    Own(Box<[AtomicU32]>),
}

impl Rows {
    fn own() -> Self {
        Self::Own((0..CHUNK_ROWS).map(|_| AtomicU32::new(0)).collect())
    }

    pub(super) fn get(&self, place: usize) -> u32 {
        match self {
            Self::Kernel(chunk) => chunk.row(place),
            Self::Own(rows) => rows.get(place).map_or(0, |row| row.load(Relaxed)),
        }
    }

    fn set(&self, place: usize, row: u32) {
        match self {
            Self::Kernel(chunk) => chunk.set_row(place, row),
            Self::Own(rows) => {
                if let Some(at) = rows.get(place) {
                    at.store(row, Relaxed);
                }
            }
        }
    }
}

/// Keeps the tables of all objects.
pub(super) struct Store {
    kernel: Option<KernelTables>,
    chunks: Vec<Arc<Rows>>,
    /// Rows of the last chunk that are in use.
    used: usize,
    pages: usize,
    rules: Arc<Rules>,
    numbers: HashMap<Rule, u16>,
}

impl Store {
    /// An empty store, whose tables the kernel can read if it is given its
    /// own.
    pub(super) fn new(kernel: Option<KernelTables>) -> Self {
        let mut store = Self {
            kernel,
            chunks: Vec::new(),
            used: CHUNK_ROWS,
            pages: 0,
            rules: Arc::default(),
            numbers: HashMap::new(),
        };
        // There is always room for this one.
        store.number(Rule::of(Rule::UNSUPPORTED));
        store
    }

    /// Bytes of rows in use.
    pub(super) fn bytes(&self) -> u64 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK_ROWS;
        let last = if self.chunks.is_empty() { 0 } else { self.used };
        (full + last) as u64 * 4
    }

    /// Takes in what was compiled; `None` where there is no room for it.
    pub(super) fn add(&mut self, compiled: &Compiled) -> Option<Table> {
        let numbers: Vec<u16> = compiled
            .rules
            .iter()
            .map(|rule| self.number(*rule))
            .collect();
        let last = compiled.rows.last()?.0;
        let count = (last >> PAGE_BITS) as usize + 1;
        let first_page = self.pages;
        if first_page + count > MAX_PAGES {
            return None;
        }
        let mut pages = Vec::with_capacity(count);
        let mut first_chunk = None;
        let mut rest = compiled.rows.as_slice();
        let mut before = None;
        for page in 0..count {
            let begin = (page as u64) << PAGE_BITS;
            let end = begin + (1 << PAGE_BITS);
            let here = rest.partition_point(|&(at, _)| u64::from(at) < end);
            let (rows, after) = rest.split_at(here);
            rest = after;
            // What holds at the page's first byte.
            let carried = match rows.first() {
                Some(&(at, _)) if u64::from(at) == begin => None,
                _ => before,
            };
            before = rows.last().map(|&(_, rule)| rule).or(before);
            let packed: Vec<u32> = carried
                .map(|rule| (0, rule))
                .into_iter()
                .chain(rows.iter().map(|&(at, rule)| (at & 0xffff, rule)))
                .map(|(low, rule)| {
                    let number = numbers.get(usize::from(rule)).copied().unwrap_or(0);
                    low | u32::from(number) << 16
                })
                .collect();
            // The first page may begin with nothing.
            let holds_at_begin = packed.first().is_none_or(|row| row & 0xffff == 0);
            let none =
                (!holds_at_begin).then(|| u32::from(self.number(Rule::of(Rule::NONE))) << 16);
            let packed: Vec<u32> = none.into_iter().chain(packed).collect();
            let from = self.put(&packed)?;
            first_chunk.get_or_insert(from / CHUNK_ROWS);
            pages.push(Page {
                from: u32::try_from(from).ok()?,
                rows: u32::try_from(packed.len()).ok()?,
            });
        }
        self.pages += count;
        let first_chunk = first_chunk?;
        if let Some(kernel) = &self.kernel {
            for (place, page) in pages.iter().enumerate() {
                kernel.set_page(first_page + place, *page);
            }
        }
        Some(Table {
            base: compiled.base,
            code: compiled.code.clone(),
            first_page: u32::try_from(first_page).ok()?,
            pages,
            first_chunk,
            chunks: self.chunks.get(first_chunk..)?.to_vec(),
            rules: Arc::clone(&self.rules),
        })
    }

    /// Stores the rows of a page, all in one chunk; gives the number of the
    /// first.
    fn put(&mut self, rows: &[u32]) -> Option<usize> {
        if rows.len() > CHUNK_ROWS {
            return None;
        }
        if self.used + rows.len() > CHUNK_ROWS {
            if self.chunks.len() == MAX_CHUNKS {
                return None;
            }
            let chunk = match &mut self.kernel {
                Some(kernel) => Rows::Kernel(kernel.add_chunk(self.chunks.len()).ok()?),
                None => Rows::own(),
            };
            self.chunks.push(Arc::new(chunk));
            self.used = 0;
        }
        let chunk = self.chunks.last()?;
        for (place, row) in (self.used..).zip(rows) {
            chunk.set(place, *row);
        }
        let from = (self.chunks.len() - 1) * CHUNK_ROWS + self.used;
        self.used += rows.len();
        Some(from)
    }

    /// The number of a rule; that of the unsupported where there are too many.
    fn number(&mut self, rule: Rule) -> u16 {
        if let Some(&number) = self.numbers.get(&rule) {
            return number;
        }
        let next = self.numbers.len();
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
