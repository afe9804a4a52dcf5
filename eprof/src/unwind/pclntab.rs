//! What Go's linker says of its functions' frames, in `.gopclntab`: the program
//! itself needs that table, so it is there where all else was stripped.
//!
//! The layout is that of Go 1.18 and later (runtime/symtab.go, `pcHeader` and
//! `pcvalue`; runtime/runtime2.go, `_func`; cmd/link/internal/ld/pcln.go).

use eprof_common::Rule;

use super::bytes::{self, Blocks, Bytes};
use super::image::Image;
use super::segment::{Described, ROOT, Segment};

/// `go118magic` and `go120magic` of debug/gosym/pclntab.go.
const GO_1_18: u32 = 0xffff_fff0;
const GO_1_20: u32 = 0xffff_fff1;

/// Bytes of `pcHeader` on a machine with words of eight bytes.
const HEADER: u64 = 72;

/// Bytes of an entry of `functab`.
const ENTRY: u64 = 8;

/// `abi.FuncFlagTopFrame`: the outermost frame of its stack.
const TOP_FRAME: u8 = 1;

/// `abi.FuncFlagSPWrite`: moves the stack pointer in a way that the table does
/// not tell.
const MOVES: u8 = 2;

/// Functions that go over to the stack of the scheduler, and call there
/// (runtime/asm_amd64.s): what they call is the outermost of that stack.
const SWITCHES: [&[u8]; 3] = [
    b"runtime.mcall\0",
    b"runtime.morestack\0",
    b"runtime.systemstack\0",
];

/// The longest name that is read, in bytes.
const LONGEST_NAME: usize = 4 << 10;

/// The longest such function, in bytes.
const LONGEST_SWITCH: u64 = 512;

/// The longest table of one function that is read, in bytes: most have some ten.
const LONGEST: usize = 64 << 10;

/// The largest frame that is believed, in bytes: no goroutine's stack is larger
/// (`maxstacksize` of runtime/stack.go).
const LARGEST: i32 = 1 << 30;

/// Where the parts of the table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pclntab {
    /// Address that functions are counted from.
    text: u64,
    /// Whether the linker wrote that down.
    is_certain: bool,
    /// How many functions.
    count: u64,
    /// Offset in the file of `functab`: for each function, its address and where
    /// it is described; then the address at which the last one ends.
    functions: u64,
    /// Offset in the file of the names.
    names: u64,
    /// Offset in the file of the frame sizes.
    sizes: u64,
    /// One past the end of all, likewise.
    end: u64,
    /// Where a function's flags are in its description.
    flags: usize,
}

/// A function in `functab`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GoFunction {
    /// Its first address.
    pub(super) begin: u64,
    /// One past its last.
    pub(super) end: u64,
    /// Offset in the file of its entry.
    pub(super) place: u64,
}

/// Go's table in a file, and the functions in it; `None` where it has none, or one
/// without functions.
pub(super) fn read(image: &Image, bytes: &dyn Bytes) -> Option<(Pclntab, Vec<GoFunction>)> {
    let section = image.go.as_ref()?;
    let header = bytes::all(bytes, section.offset, HEADER)?;
    let table = Pclntab::parse(&header, section.offset, section.size, image.text)?;
    let functab = bytes::all(bytes, table.functions, table.length())?;
    let functions = table.list(&functab, &image.code, image.entry);
    (!functions.is_empty()).then_some((table, functions))
}

impl Pclntab {
    /// Of the section at `offset` of the file, which has `size` bytes and begins
    /// with `header`; `text` is the address of `.text`, for where the linker did
    /// not write down that of the first function. `None` where this is no table
    /// of x86-64 that is known.
    fn parse(header: &[u8], offset: u64, size: u64, text: u64) -> Option<Self> {
        let word = |number: usize| {
            let bytes = header.get(number * 8..)?.first_chunk()?;
            Some(u64::from_le_bytes(*bytes))
        };
        let (magic, form) = header.split_first_chunk::<4>()?;
        let flags = match u32::from_le_bytes(*magic) {
            GO_1_18 => 37,
            GO_1_20 => 41,
            _ => return None,
        };
        // Zeros, the length of the shortest instruction, that of a pointer.
        if form.get(..4)? != [0, 0, 1, 8] {
            return None;
        }
        let inside = |number| word(number).filter(|&inside| inside < size);
        let (count, begin) = (word(1)?, word(3)?);
        let functions = inside(8)?;
        let room = (size - functions).checked_sub(ENTRY / 2)? / ENTRY;
        (0 < count && count <= room).then_some(Self {
            text: if begin == 0 { text } else { begin },
            is_certain: begin != 0,
            count,
            functions: offset.checked_add(functions)?,
            names: offset.checked_add(inside(4)?)?,
            sizes: offset.checked_add(inside(7)?)?,
            end: offset.checked_add(size)?,
            flags,
        })
    }

    /// The bytes of `functab`, from [`functions`](Self::functions) on.
    fn length(&self) -> u64 {
        self.count * ENTRY + ENTRY / 2
    }

    /// The functions in `functab`, of which those are left out that do not lie in
    /// `code`. None where the linker did not write down where they begin, and the
    /// program does not begin in one of them: C's may come first.
    fn list(&self, functab: &[u8], code: &[Segment], entry: u64) -> Vec<GoFunction> {
        let address = |place: usize| {
            let bytes = functab.get(place..)?.first_chunk()?;
            self.text.checked_add(u64::from(u32::from_le_bytes(*bytes)))
        };
        let all = (0..self.count).map_while(|number| {
            let place = usize::try_from(number * ENTRY).ok()?;
            Some(GoFunction {
                begin: address(place)?,
                end: address(place + ENTRY as usize)?,
                place: self.functions + number * ENTRY,
            })
        });
        let inside = |function: &GoFunction| {
            let mut code = code.iter();
            function.begin < function.end
                && code.any(|one| one.address <= function.begin && function.end <= one.end())
        };
        let functions: Vec<_> = all.filter(inside).collect();
        let begins_here = functions.iter().any(|function| function.begin == entry);
        if self.is_certain || begins_here {
            functions
        } else {
            Vec::new()
        }
    }

    /// What is said of the function whose entry in `functab` is at `place`.
    /// Code is read from `image`.
    pub(super) fn describe(
        &self,
        blocks: &mut Blocks,
        image: &Image,
        place: u64,
    ) -> Option<Described> {
        let mut bytes = Vec::new();
        blocks.read(place, (ENTRY + ENTRY / 2) as usize, &mut bytes)?;
        let [entry, description, next] = words(&bytes)?;
        let begin = self.text.checked_add(u64::from(entry))?;
        let end = self.text.checked_add(u64::from(next))?;
        let at = self.functions.checked_add(u64::from(description))?;
        bytes.clear();
        blocks.read(at, self.flags + 1, &mut bytes)?;
        let [again, name, _, _, sizes] = words(&bytes)?;
        if again != entry || begin >= end {
            return None;
        }
        let flags = *bytes.get(self.flags)?;
        if flags & TOP_FRAME != 0 {
            let rows = vec![(begin, ROOT)];
            return Some(Described { end, rows });
        }
        let mut rows = vec![(begin, Rule::of(Rule::NONE))];
        if sizes != 0 {
            let from = self.sizes.checked_add(u64::from(sizes))?;
            let left = usize::try_from(self.end.saturating_sub(from)).unwrap_or(LONGEST);
            bytes.clear();
            blocks.read(from, left.min(LONGEST), &mut bytes)?;
            rows = frames(&bytes, begin, end);
        }
        if flags & MOVES != 0 && end - begin <= LONGEST_SWITCH && self.switches(blocks, name) {
            bytes.clear();
            blocks.read(image.offset(begin)?, (end - begin) as usize, &mut bytes)?;
            rows = with_roots(rows, &calls(begin, &bytes));
        }
        Some(Described { end, rows })
    }

    /// Whether the function whose name is number `name` is one of [`SWITCHES`].
    fn switches(&self, blocks: &mut Blocks, name: u32) -> bool {
        let mut bytes = Vec::new();
        SWITCHES.iter().any(|wanted| {
            bytes.clear();
            let at = self.names.checked_add(u64::from(name));
            let read = at.and_then(|at| blocks.read(at, wanted.len(), &mut bytes));
            read.is_some() && bytes == *wanted
        })
    }
}

/// The names of a program's functions.
pub(crate) struct GoNames {
    blocks: Blocks,
    table: Pclntab,
    /// In order of address.
    functions: Vec<GoFunction>,
}

impl GoNames {
    /// Those of an ELF file; `None` where it has no table of Go's.
    pub(crate) fn open(bytes: Box<dyn Bytes>) -> Option<Self> {
        let (table, mut functions) = read(&Image::parse(&*bytes)?, &*bytes)?;
        functions.sort_by_key(|function| function.begin);
        Some(Self {
            blocks: Blocks::new(bytes),
            table,
            functions,
        })
    }

    /// The name of the function at an address.
    pub(crate) fn name(&mut self, address: u64) -> Option<String> {
        let after = self.functions.partition_point(|one| one.begin <= address);
        let function = self.functions.get(after.checked_sub(1)?)?;
        if address >= function.end {
            return None;
        }
        let mut bytes = Vec::new();
        self.blocks
            .read(function.place, ENTRY as usize, &mut bytes)?;
        let [entry, description] = words(&bytes)?;
        let at = self.table.functions.checked_add(u64::from(description))?;
        bytes.clear();
        self.blocks.read(at, ENTRY as usize, &mut bytes)?;
        let [again, name] = words(&bytes)?;
        let at = self.table.names.checked_add(u64::from(name))?;
        let left = usize::try_from(self.table.end.saturating_sub(at)).ok()?;
        bytes.clear();
        self.blocks.read(at, left.min(LONGEST_NAME), &mut bytes)?;
        let end = bytes.iter().position(|&byte| byte == 0)?;
        let name = bytes.get(..end).filter(|name| !name.is_empty())?;
        (again == entry).then(|| String::from_utf8_lossy(name).into_owned())
    }
}

/// The last byte of each call in code at `begin`. No instruction
/// that is interrupted begins there; what is looked up there has been called.
fn calls(begin: u64, code: &[u8]) -> Vec<u64> {
    (begin..)
        .zip(code.windows(5))
        .filter_map(|(at, bytes)| match bytes {
            // call *%reg
            [0xff, 0xd0..=0xd7, ..] => Some(at + 1),
            [0xe8, ..] => Some(at + 4),
            _ => None,
        })
        .collect()
}

/// `rows`, with none but the outermost frame at each of `places`.
fn with_roots(rows: Vec<(u64, Rule)>, places: &[u64]) -> Vec<(u64, Rule)> {
    let holds = |at: u64| {
        let after = rows.partition_point(|&(from, _)| from <= at);
        let row = after.checked_sub(1).and_then(|last| rows.get(last));
        row.map_or(Rule::of(Rule::NONE), |&(_, rule)| rule)
    };
    let roots = places.iter().map(|&place| (place, ROOT));
    let after = places.iter().map(|&place| (place + 1, holds(place + 1)));
    let mut all: Vec<_> = roots.chain(after).chain(rows.iter().copied()).collect();
    // The first of those at one address holds.
    all.sort_by_key(|&(at, _)| at);
    all.dedup_by_key(|&mut (at, _)| at);
    all
}

/// The first words of a structure.
fn words<const N: usize>(bytes: &[u8]) -> Option<[u32; N]> {
    let (words, _) = bytes.as_chunks::<4>();
    let words: &[[u8; 4]; N] = words.first_chunk()?;
    Some(words.map(u32::from_le_bytes))
}

/// The rules of a function from `begin` to `end`. The table tells how far the stack
/// pointer is below where it was at the beginning. It has pairs: by how much this
/// changes, and for how many bytes of code that holds (`step` of runtime/symtab.go).
fn frames(table: &[u8], begin: u64, end: u64) -> Vec<(u64, Rule)> {
    let mut bytes = table.iter().copied();
    let (mut at, mut size) = (begin, -1_i32);
    let mut rows = Vec::new();
    while at < end {
        let change = match number(&mut bytes) {
            Some(0) if at > begin => break,
            Some(change) => change,
            None => break,
        };
        // The lowest bit is the sign.
        size = size.wrapping_add(((change >> 1) ^ (change & 1).wrapping_neg()) as i32);
        let rule = match size {
            0..=LARGEST => Rule {
                cfa_offset: size + 8,
                ra_offset: -8,
                // It has been saved, but not everywhere at the same place.
                fp: if size > 0 {
                    Rule::FP_LOST
                } else {
                    Rule::FP_SAME
                },
                ..Rule::of(Rule::CFA_SP)
            },
            _ => Rule::of(Rule::NONE),
        };
        rows.push((at, rule));
        match number(&mut bytes) {
            Some(length) if length > 0 => at = at.saturating_add(u64::from(length)),
            _ => break,
        }
    }
    if rows.is_empty() || at < end {
        rows.push((at, Rule::of(Rule::NONE)));
    }
    rows
}

/// A number of seven bits per byte, the lowest first; all but the last have the
/// highest bit.
fn number(bytes: &mut impl Iterator<Item = u8>) -> Option<u32> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let byte = bytes.next()?;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
#[path = "pclntab_tests.rs"]
mod tests;
