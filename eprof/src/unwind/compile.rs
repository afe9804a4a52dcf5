//! Compiles the call frame information of a file into rows of rules.

use std::collections::HashMap;

use eprof_common::Rule;
use eprof_common::table::PAGE_BITS;
use gimli::{
    BaseAddresses, CieOrFde, DebugFrame, EhFrame, EndianSlice, LittleEndian, UnwindContext,
    UnwindOffset, UnwindSection, Vendor,
};
use object::ReadRef;

use super::cfi;
use super::guess;
use super::image::{Frames, Image, Machine, Segment};

/// A gap of fewer bytes between two functions is padding.
const PADDING: u64 = 16;

/// The longest entry of a program without unwind information, in bytes.
const LONGEST_ENTRY: u64 = 80;

/// How many bytes of code without unwind information are searched for the
/// ends of signal handlers.
const MOST_SEARCHED: u64 = 16 << 20;

/// Most rows of one file: ten times those of the largest known.
const MOST_ROWS: usize = 16 << 20;

/// Unwind information of one file, in order of address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compiled {
    /// The address that rows are relative to: that of the first page of code.
    pub base: u64,
    /// Executable segments.
    pub code: Vec<Segment>,
    /// From this address (relative to `base`) on, this rule, by position.
    pub rows: Vec<(u32, u16)>,
    /// The rules, each once.
    pub rules: Vec<Rule>,
}

/// The rule for code that has no caller.
const ROOT: Rule = Rule {
    ra: Rule::RA_ROOT,
    ..Rule::of(Rule::UNSUPPORTED)
};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// A function, or a part of one, that has unwind information.
struct Function {
    begin: u64,
    end: u64,
    /// Where its description is, in which section.
    offset: usize,
    debug: bool,
    /// Whether a signal handler returns to it.
    signal: bool,
}

/// Compiles an ELF file for a 64-bit machine; `None` for anything else, and
/// where there is no unwind information. Total: whatever is malformed is left
/// out.
pub fn compile<'data, R: ReadRef<'data>>(data: R) -> Option<Compiled> {
    let image = Image::parse(data)?;
    let base = image.code.first()?.address >> PAGE_BITS << PAGE_BITS;
    let eh_frame = image.eh_frame.as_ref().map(|frames| {
        let mut section = EhFrame::new(&frames.data, LittleEndian);
        section.set_address_size(8);
        section.set_vendor(vendor(image.machine));
        (section, frames)
    });
    let debug_frame = image.debug_frame.as_ref().map(|frames| {
        let mut section = DebugFrame::new(&frames.data, LittleEndian);
        section.set_address_size(8);
        section.set_vendor(vendor(image.machine));
        (section, frames)
    });
    let mut functions = Vec::new();
    if let Some((section, frames)) = &eh_frame {
        collect(section, frames, false, &image.code, &mut functions);
    }
    if let Some((section, frames)) = &debug_frame {
        collect(section, frames, true, &image.code, &mut functions);
    }
    // Where both sections describe a function, `.eh_frame` is maintained by
    // the linker.
    functions.sort_by_key(|function| (function.begin, function.debug, function.offset));

    let described = functions
        .iter()
        .any(|function| (function.begin..function.end).contains(&image.entry));
    let mut rows = Rows::new(base, image.entry != 0 && !described);
    // Where signal handlers return to is in the C library.
    let library = functions.iter().any(|function| function.signal);
    let mut context = Box::new(UnwindContext::new());
    let mut cies = [HashMap::new(), HashMap::new()];
    let mut end = image.code.first()?.address;
    let mut searched = 0;
    let [eh_cies, debug_cies] = &mut cies;
    for function in &functions {
        if function.begin < end {
            continue;
        }
        gap(&image, end, function.begin, &mut searched, &mut rows);
        if library && end < function.begin {
            // No call precedes the first byte of a function, so who returns to
            // it was made to: makecontext(3) writes such an address at the
            // root of a new stack.
            rows.add(function.begin - 1, ROOT);
        }
        match (&eh_frame, &debug_frame) {
            (Some((section, frames)), _) if !function.debug => {
                describe(
                    (image.machine, image.entry),
                    section,
                    frames,
                    function,
                    &mut context,
                    eh_cies,
                    &mut rows,
                );
            }
            (_, Some((section, frames))) => {
                describe(
                    (image.machine, image.entry),
                    section,
                    frames,
                    function,
                    &mut context,
                    debug_cies,
                    &mut rows,
                );
            }
            _ => {}
        }
        if rows.beginning {
            let code = image.bytes(function.begin, function.end - function.begin);
            let new = guess::new_thread(image.machine, code.unwrap_or_default());
            if let Some(new) = new {
                rows.replace(function.begin + new as u64, ROOT);
            }
        }
        end = function.end;
    }
    let last = image.code.last()?.end();
    gap(&image, end, last, &mut searched, &mut rows);
    rows.none(last);
    (!functions.is_empty() || rows.found).then_some(Compiled {
        base,
        code: image.code,
        rows: rows.rows,
        rules: rows.rules,
    })
}

const fn vendor(machine: Machine) -> Vendor {
    match machine {
        Machine::X86_64 => Vendor::Default,
        Machine::Aarch64 => Vendor::AArch64,
    }
}

/// Finds the functions that `section` describes.
fn collect<'a, S>(
    section: &S,
    frames: &Frames<'_>,
    debug: bool,
    code: &[Segment],
    functions: &mut Vec<Function>,
) where
    S: UnwindSection<Slice<'a>>,
{
    let mut cies = HashMap::new();
    let mut entries = section.entries(&frames.bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else {
            continue;
        };
        let offset = partial.offset();
        let fde = partial.parse(|section, bases, offset| cie(&mut cies, section, bases, offset));
        let Ok(fde) = fde else { continue };
        let (begin, end) = (fde.initial_address(), fde.end_address());
        // What the linker threw away stays behind at address zero.
        let inside = code
            .iter()
            .any(|segment| segment.address <= begin && end <= segment.end());
        if begin < end && inside && functions.len() < MOST_ROWS {
            functions.push(Function {
                begin,
                end,
                offset,
                debug,
                signal: fde.is_signal_trampoline(),
            });
        }
    }
}

type Cies<'a> = HashMap<usize, gimli::CommonInformationEntry<Slice<'a>>>;

fn cie<'a, S>(
    cies: &mut Cies<'a>,
    section: &S,
    bases: &BaseAddresses,
    offset: S::Offset,
) -> gimli::Result<gimli::CommonInformationEntry<Slice<'a>>>
where
    S: UnwindSection<Slice<'a>>,
{
    let key = UnwindOffset::into(offset);
    if let Some(known) = cies.get(&key) {
        return Ok(known.clone());
    }
    let cie = section.cie_from_offset(bases, offset)?;
    cies.insert(key, cie.clone());
    Ok(cie)
}

/// Adds the rows of one function.
fn describe<'a, S>(
    (machine, entry): (Machine, u64),
    section: &S,
    frames: &Frames<'_>,
    function: &Function,
    context: &mut UnwindContext<usize>,
    cies: &mut Cies<'a>,
    rows: &mut Rows,
) where
    S: UnwindSection<Slice<'a>>,
{
    rows.add(function.begin, Rule::of(Rule::UNSUPPORTED));
    if function.begin == entry {
        // Whatever is said of it, a program's entry has no caller.
        return rows.add(function.begin, ROOT);
    }
    let fde = section.fde_from_offset(
        &frames.bases,
        S::Offset::from(function.offset),
        |section, bases, offset| cie(cies, section, bases, offset),
    );
    let Ok(fde) = fde else { return };
    if fde.is_signal_trampoline() {
        return rows.add(function.begin, machine.signal());
    }
    let Ok(mut table) = fde.rows(section, &frames.bases, context) else {
        return;
    };
    let mut at = function.begin;
    while let Ok(Some(row)) = table.next_row() {
        let begin = row.start_address();
        if begin < at || begin >= function.end {
            break;
        }
        at = begin;
        rows.add(begin, cfi::rule(machine, section, row));
    }
}

/// Code between two functions that are described.
fn gap<'data, R: ReadRef<'data>>(
    image: &Image<'data, R>,
    begin: u64,
    end: u64,
    searched: &mut u64,
    rows: &mut Rows,
) {
    if end < begin.saturating_add(PADDING) {
        return;
    }
    rows.none(begin);
    let mut known = Vec::new();
    if rows.beginning {
        // The program begins here; what else begins it is told by its name.
        let entry = (image.entry, image.entry.saturating_add(LONGEST_ENTRY));
        let all = image.beginnings.iter().copied().chain([entry]);
        known.extend(
            all.filter(|&(from, to)| begin <= from && from < to.min(end))
                .map(|(from, to)| vec![(from, Some(ROOT)), (to.min(end), None)]),
        );
    }
    let length = (end - begin).min(MOST_SEARCHED.saturating_sub(*searched));
    *searched += length;
    let bytes = image.bytes(begin, length).unwrap_or_default();
    known.push(guess::function(image.machine, begin, bytes));
    if rows.beginning {
        let calls = guess::first_calls(image.machine, begin, bytes);
        known.extend(calls.map(|(from, to)| vec![(from, Some(ROOT)), (to, None)]));
    }
    let wanted = image.machine.sigreturn();
    let places = bytes.windows(wanted.len());
    if let Some(place) = places.into_iter().position(|window| window == wanted) {
        // One byte before, for a handler returns to the first byte, and return
        // addresses are looked up one byte before.
        let place = begin + place as u64;
        let from = place.saturating_sub(1).max(begin);
        let to = place + wanted.len() as u64;
        known.push(vec![(from, Some(image.machine.signal())), (to, None)]);
        rows.found = true;
    }
    known.sort_by_key(|known| known.first().map(|&(address, _)| address));
    for (address, rule) in known.into_iter().flatten() {
        match rule {
            Some(rule) => rows.add(address, rule),
            None => rows.none(address),
        }
    }
}

/// Rows in order of address.
struct Rows {
    base: u64,
    /// For code without unwind information.
    none: Rule,
    /// Whether that begins the program.
    beginning: bool,
    rows: Vec<(u32, u16)>,
    rules: Vec<Rule>,
    numbers: HashMap<Rule, u16>,
    /// Whether there is anything but what functions say.
    found: bool,
}

impl Rows {
    /// Rows relative to `base`. In files whose `beginning` has no unwind
    /// information, other code of the C library may have none either.
    fn new(base: u64, beginning: bool) -> Self {
        Self {
            base,
            beginning,
            none: Rule {
                add: i32::from(beginning),
                ..Rule::of(Rule::NONE)
            },
            rows: Vec::new(),
            rules: Vec::new(),
            numbers: HashMap::new(),
            found: false,
        }
    }

    fn none(&mut self, address: u64) {
        self.add(address, self.none);
    }

    /// From `address` on, `rule`. A row at the same address is replaced; one
    /// below the last is ignored.
    fn add(&mut self, address: u64, rule: Rule) {
        let Some(relative) = address
            .checked_sub(self.base)
            .and_then(|relative| u32::try_from(relative).ok())
        else {
            return;
        };
        if self.rows.len() >= MOST_ROWS {
            return;
        }
        let number = self.number(rule);
        if let Some(&(last, _)) = self.rows.last() {
            if relative < last {
                return;
            }
            if relative == last {
                self.rows.pop();
            }
        }
        if self.rows.last().is_none_or(|&(_, before)| before != number) {
            self.rows.push((relative, number));
        }
    }

    /// As [`add`](Self::add), in place of what was added from there on.
    fn replace(&mut self, address: u64, rule: Rule) {
        let from = address.saturating_sub(self.base);
        while self
            .rows
            .last()
            .is_some_and(|&(at, _)| u64::from(at) >= from)
        {
            self.rows.pop();
        }
        self.add(address, rule);
    }

    fn number(&mut self, rule: Rule) -> u16 {
        if let Some(&number) = self.numbers.get(&rule) {
            return number;
        }
        // One place is left for what does not fit.
        let full = self.rules.len() >= usize::from(u16::MAX) - 1;
        let rule = if full {
            Rule::of(Rule::UNSUPPORTED)
        } else {
            rule
        };
        if let Some(&number) = self.numbers.get(&rule) {
            return number;
        }
        let number = u16::try_from(self.rules.len()).unwrap_or(u16::MAX);
        self.rules.push(rule);
        self.numbers.insert(rule, number);
        number
    }
}
