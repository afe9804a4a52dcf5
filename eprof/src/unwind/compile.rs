//! Compiles the call frame information of a file into rows of rules, one page
//! of code at a time.

use eprof_common::Rule;
use eprof_common::table::PAGE_BITS;
use gimli::UnwindContext;

use super::bytes::{Blocks, Bytes};
use super::image::{self, Image};
use super::index::{Function, Index};
use super::segment::{Machine, ROOT, Segment};
use super::{flow, guess};

/// A gap of fewer bytes between two functions is padding.
const PADDING: u64 = 16;

/// The longest entry of a program without unwind information, in bytes.
const LONGEST_ENTRY: u64 = 80;

/// So many bytes are looked at beyond the page, where there is no unwind
/// information.
const BEYOND: u64 = 64;

/// So many bytes are looked at before and beyond the page, for functions of which the
/// code alone tells.
const FOLLOWED: u64 = 16 << 10;

/// Where there is no unwind information at all, so many bytes of code are
/// searched for the ends of signal handlers.
const MOST_SEARCHED: u64 = 16 << 20;

/// Most pages of one file: 2 GiB of code.
const MOST_PAGES: u64 = 1 << 15;

/// A file of code whose unwind information can be compiled.
pub struct Source {
    blocks: Blocks,
    image: Image,
    index: Index,
    /// The address that pages are counted from: that of the first one.
    base: u64,
    pages: u32,
    /// For code without unwind information.
    none: Rule,
    /// Whether such code begins the program: then other code of the C library
    /// may have none either.
    beginning: bool,
    /// The code that begins programs and threads, where it has names.
    beginnings: Vec<(u64, u64)>,
    /// The functions that have names; `None` before that is needed.
    named: Option<Vec<flow::Extent>>,
    /// Whether it is the C library, which is where signal handlers return to;
    /// `None` before the first page.
    library: Option<bool>,
    context: Box<UnwindContext<usize>>,
}

/// The rows of one page: from this byte of it on, this rule. The first one is
/// at its first byte.
pub type PageRows = Vec<(u16, Rule)>;

impl Source {
    /// An ELF file for a 64-bit machine; `None` for anything else, and where
    /// nothing is known of its frames. Total: whatever is malformed is left
    /// out.
    pub fn open(bytes: Box<dyn Bytes>) -> Option<Self> {
        let image = Image::parse(&*bytes)?;
        let index = Index::new(&image, &*bytes);
        let base = image.code.first()?.address >> PAGE_BITS << PAGE_BITS;
        let last = image.code.last()?.end() - 1;
        let pages = ((last - base) >> PAGE_BITS).saturating_add(1);
        let mut source = Self {
            blocks: Blocks::new(bytes),
            image,
            index,
            base,
            pages: u32::try_from(pages.min(MOST_PAGES)).ok()?,
            none: Rule::DOUBTFUL,
            beginning: false,
            beginnings: Vec::new(),
            named: None,
            library: None,
            context: Box::new(UnwindContext::new()),
        };
        // The code itself tells something, too.
        let followed = source.image.machine == Machine::X86_64;
        if source.index.is_empty() && !followed && !source.ends_handlers() {
            return None;
        }
        let entry = source.image.entry;
        source.beginning = entry != 0 && !source.is_described(entry);
        source.none.add = i32::from(source.beginning);
        if source.beginning {
            source.beginnings = image::beginnings(source.blocks.bytes());
        }
        source.blocks.forget();
        Some(source)
    }

    /// The address that pages are counted from.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The executable segments.
    pub fn code(&self) -> &[Segment] {
        &self.image.code
    }

    /// How many pages there are.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Compiles page `number`. None of it where the file was written to.
    pub fn page(&mut self, number: u32) -> PageRows {
        let from = self
            .base
            .saturating_add(u64::from(number.min(self.pages)) << PAGE_BITS);
        let to = from.saturating_add(1 << PAGE_BITS);
        let rows = if self.blocks.is_unchanged() {
            self.rows(from, to)
        } else {
            Rows::default()
        };
        self.blocks.forget();
        rows.between(from, to)
    }

    fn rows(&mut self, from: u64, to: u64) -> Rows {
        let mut rows = Rows::default();
        let functions = self.index.around(&mut self.blocks, from, to);
        let first = self.image.code.first().map_or(from, |code| code.address);
        let last = self.image.code.last().map_or(to, Segment::end);
        // What lies before the function before the page is none of it.
        let before = functions.first().filter(|function| function.begin <= from);
        let mut end = before.map_or(first, |function| function.begin);
        let mut next = last;
        for function in &functions {
            if function.begin >= to {
                next = function.begin;
                break;
            }
            if function.begin < end {
                continue;
            }
            end = self.function(function, end, (from, to), &mut rows).max(end);
        }
        self.gap(end, next, (from, to), &mut rows);
        if next == last {
            rows.add(last, self.none);
        } else {
            self.before(end, next, &mut rows);
        }
        rows
    }

    /// Adds a function, and what lies between `end` and it. Gives its own end.
    fn function(
        &mut self,
        function: &Function,
        end: u64,
        page: (u64, u64),
        rows: &mut Rows,
    ) -> u64 {
        let Self {
            blocks,
            image,
            index,
            context,
            ..
        } = self;
        let Some(described) = index.describe(blocks, image, function, context) else {
            return end;
        };
        self.gap(end, function.begin, page, rows);
        self.before(end, function.begin, rows);
        for (address, rule) in described.rows {
            rows.add(address, rule);
        }
        let length = described.end - function.begin;
        if self.is_sigreturn(function.begin, length) {
            // As in a gap.
            rows.replace(function.begin - 1, self.image.machine.signal());
        }
        if self.beginning && length <= guess::LONGEST as u64 {
            let code = self.bytes(function.begin, length);
            if let Some(new) = guess::new_thread(self.image.machine, &code) {
                rows.replace(function.begin + new as u64, ROOT);
            }
        }
        described.end
    }

    /// Whether a function is what signal handlers return to, and says nothing of
    /// it: Go's (`sigreturn` of runtime/sys_linux_amd64.s).
    fn is_sigreturn(&mut self, begin: u64, length: u64) -> bool {
        /// Traps fill what lies between functions.
        const TRAP: u8 = 0xcc;
        if !self.index.is_go() || length > guess::LONGEST as u64 || begin == 0 {
            return false;
        }
        let wanted = self.image.machine.sigreturn();
        let code = self.bytes(begin - 1, 1 + wanted.len() as u64);
        code.split_first() == Some((&TRAP, wanted))
    }

    /// The byte before a function at `begin`, if it belongs to no other.
    fn before(&mut self, end: u64, begin: u64, rows: &mut Rows) {
        let Self {
            blocks,
            image,
            index,
            library,
            ..
        } = self;
        // No call precedes the first byte of a function, so who returns to it
        // was made to: makecontext(3) writes such an address at the root of a
        // new stack.
        if end < begin && *library.get_or_insert_with(|| index.has_signal(blocks, image)) {
            rows.add(begin - 1, ROOT);
        }
    }

    /// Code between two functions that are described, of which `page` is of
    /// interest.
    fn gap(&mut self, begin: u64, end: u64, (from, to): (u64, u64), rows: &mut Rows) {
        if end < begin.saturating_add(PADDING) {
            return;
        }
        rows.add(begin, self.none);
        let mut known = Vec::new();
        let followed = self.followed((begin, end), (from, to));
        if self.beginning {
            // The program begins here; what else begins it is told by its
            // name.
            let entry = self.image.entry;
            let entry = (entry, entry.saturating_add(LONGEST_ENTRY));
            let all = self.beginnings.iter().copied().chain([entry]);
            known.extend(
                all.filter(|&(from, to)| begin <= from && from < to.min(end))
                    .map(|(from, to)| vec![(from, Some(ROOT)), (to.min(end), None)]),
            );
        }
        let machine = self.image.machine;
        if begin.saturating_add(2 * guess::LONGEST as u64) > from {
            let length = (end - begin).min(2 * guess::LONGEST as u64);
            let bytes = self.bytes(begin, length);
            known.push(guess::function(machine, begin, &bytes));
        }
        let near = begin.max(from.saturating_sub(BEYOND));
        let far = end.min(to.saturating_add(BEYOND));
        let bytes = self.bytes(near, far.saturating_sub(near));
        if self.beginning {
            let calls = guess::first_calls(machine, near, &bytes);
            known.extend(calls.map(|(from, to)| vec![(from, Some(ROOT)), (to, None)]));
            // musl's `__clone`, where it has no name.
            known.extend(guess::new_thread_in(machine, &bytes).map(|at| {
                let at = near + at as u64;
                vec![(at, Some(ROOT)), (at + guess::NEW_THREAD, None)]
            }));
        }
        known.extend(guess::linkage(machine, near, &bytes));
        let wanted = machine.sigreturn();
        if let Some(place) = bytes
            .windows(wanted.len())
            .position(|bytes| bytes == wanted)
        {
            // One byte before, for a handler returns to the first byte, and
            // return addresses are looked up one byte before.
            let place = near + place as u64;
            let from = place.saturating_sub(1).max(begin);
            let to = place + wanted.len() as u64;
            known.push(vec![(from, Some(machine.signal())), (to, None)]);
        }
        known.sort_by_key(|known| known.first().map(|&(address, _)| address));
        for (address, rule) in laid_over(followed, known) {
            rows.add(address, rule.unwrap_or(self.none));
        }
    }

    /// What code in a gap tells by itself, near the page.
    fn followed(&mut self, gap: (u64, u64), page: (u64, u64)) -> Vec<(u64, Option<Rule>)> {
        if self.image.machine != Machine::X86_64 {
            return Vec::new();
        }
        let from = gap.0.max(page.0.saturating_sub(FOLLOWED));
        let to = gap.1.min(page.1.saturating_add(FOLLOWED));
        let code = self.bytes(from, to.saturating_sub(from));
        let bytes = self.blocks.bytes();
        let named = self.named.get_or_insert_with(|| image::functions(bytes));
        // With that in which the piece begins.
        let first = named.partition_point(|&(begin, _)| begin < from);
        let next = named.partition_point(|&(begin, _)| begin < to);
        let named = named.get(first.saturating_sub(1)..next).unwrap_or_default();
        flow::rows(from, &code, named)
    }

    /// The code at `address`, `length` bytes at most.
    fn bytes(&mut self, address: u64, length: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let length = self.image.code_at(address, length);
        if let (Some(offset), Ok(length)) = (self.image.offset(address), usize::try_from(length)) {
            let _ = self.blocks.read(offset, length, &mut bytes);
        }
        bytes
    }

    fn is_described(&mut self, address: u64) -> bool {
        let functions = self
            .index
            .around(&mut self.blocks, address, address.saturating_add(1));
        let Some(function) = functions.first().filter(|first| first.begin <= address) else {
            return false;
        };
        self.index
            .describe(&mut self.blocks, &self.image, function, &mut self.context)
            .is_some_and(|described| address < described.end)
    }

    /// Whether there is code anywhere that ends signal handlers.
    fn ends_handlers(&mut self) -> bool {
        let wanted = self.image.machine.sigreturn();
        let mut left = MOST_SEARCHED;
        for segment in self.image.code.clone() {
            let mut at = segment.address;
            while at < segment.end() && left > 0 {
                let length = left.min(1 << PAGE_BITS);
                let bytes = self.bytes(at, length + BEYOND);
                if bytes.is_empty() {
                    break;
                }
                if bytes.windows(wanted.len()).any(|bytes| bytes == wanted) {
                    return true;
                }
                at += length;
                left -= length;
            }
        }
        false
    }
}

/// `rows`, and in place of them what `others` say, each from its first address up to its
/// last, which has no rule.
fn laid_over(
    mut rows: Vec<(u64, Option<Rule>)>,
    others: Vec<Vec<(u64, Option<Rule>)>>,
) -> Vec<(u64, Option<Rule>)> {
    for other in others {
        let ends = (other.first(), other.last());
        let (Some(&(from, _)), Some(&(to, _))) = ends else {
            continue;
        };
        let first = rows.partition_point(|&(at, _)| at < from);
        let next = rows.partition_point(|&(at, _)| at <= to);
        let before = next.checked_sub(1).and_then(|last| rows.get(last));
        let goes_on = (to, before.and_then(|&(_, rule)| rule));
        let inside = other.len() - 1;
        rows.splice(first..next, other.into_iter().take(inside).chain([goes_on]));
    }
    rows
}

/// Rows in order of address.
#[derive(Default)]
struct Rows(Vec<(u64, Rule)>);

impl Rows {
    /// From `address` on, `rule`. A row at the same address is replaced; one
    /// below the last is ignored.
    fn add(&mut self, address: u64, rule: Rule) {
        if let Some(&(last, _)) = self.0.last() {
            if address < last {
                return;
            }
            if address == last {
                self.0.pop();
            }
        }
        if self.0.last().is_none_or(|(_, before)| *before != rule) {
            self.0.push((address, rule));
        }
    }

    /// As [`add`](Self::add), in place of what was added from there on.
    fn replace(&mut self, address: u64, rule: Rule) {
        while self.0.last().is_some_and(|&(at, _)| at >= address) {
            self.0.pop();
        }
        self.add(address, rule);
    }

    /// What holds on a page.
    fn between(&self, from: u64, to: u64) -> PageRows {
        let first = self.0.partition_point(|&(address, _)| address <= from);
        let last = self.0.partition_point(|&(address, _)| address < to);
        let before = first.checked_sub(1).and_then(|before| self.0.get(before));
        let none = Rule::DOUBTFUL;
        let carried = before.map_or(none, |&(_, rule)| rule);
        let inside = self.0.get(first..last).unwrap_or_default();
        [(0, carried)]
            .into_iter()
            .chain(
                inside
                    .iter()
                    .map(|&(address, rule)| ((address - from) as u16, rule)),
            )
            .collect()
    }
}
