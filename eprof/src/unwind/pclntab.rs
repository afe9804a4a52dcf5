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

/// Functions that go over to another stack, and call there (runtime/asm_amd64.s,
/// runtime/sys_linux_amd64.s).
const SWITCHES: [(&[u8], Switch); 5] = [
    (b"runtime.clone\0", Switch::Leaves),
    (b"runtime.mcall\0", Switch::Leaves),
    (b"runtime.morestack\0", Switch::Grows),
    (b"runtime.systemstack\0", Switch::Calls),
    (b"runtime.asmcgocall\0", Switch::CallsC),
];

/// What a switch of stacks means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    /// What is called is the outermost of a stack, and never returns: a new
    /// thread has begun, or a goroutine has stopped.
    Leaves,
    /// The goroutine needs a larger stack, and where its old one is was written
    /// down in the scheduler only: it is not followed.
    Grows,
    /// A function is called on the scheduler's stack.
    Calls,
    /// A function in C is.
    CallsC,
}

/// What begins by these is called by the kernel, though it is marked as an outermost
/// frame.
const HANDLER: &[u8] = b"runtime.sigtramp";

/// The longest name that is read, in bytes.
const LONGEST_NAME: usize = 4 << 10;

/// The longest such function, in bytes.
const LONGEST_SWITCH: usize = 512;

/// Within so many bytes a function has saved its frame pointer, if it does.
const PROLOGUE: usize = 96;

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
        if flags & TOP_FRAME != 0 && !self.begins(blocks, name, HANDLER) {
            let rows = vec![(begin, ROOT)];
            return Some(Described { end, rows });
        }
        let mut rows = vec![(begin, Rule::DOUBTFUL)];
        if sizes != 0 {
            let from = self.sizes.checked_add(u64::from(sizes))?;
            let left = usize::try_from(self.end.saturating_sub(from)).unwrap_or(LONGEST);
            bytes.clear();
            blocks.read(from, left.min(LONGEST), &mut bytes)?;
            rows = frames(&bytes, begin, end);
        }
        bytes.clear();
        let length = usize::try_from(end - begin).ok()?;
        let moves = flags & MOVES != 0;
        let wanted = if moves || length <= LONGEST_SWITCH {
            LONGEST_SWITCH
        } else {
            PROLOGUE
        };
        blocks.read(image.offset(begin)?, length.min(wanted), &mut bytes)?;
        let code = &bytes;
        rows = with_frame_pointers(rows, begin, code);
        let frameless = rows.iter().all(|(_, rule)| rule.cfa_offset <= 8);
        if (moves || frameless) && length <= LONGEST_SWITCH {
            let mut all = SWITCHES.iter();
            let switch = all.find(|(wanted, _)| self.begins(blocks, name, wanted));
            let switch = switch.map(|&(_, switch)| switch);
            if moves || switch.is_some() {
                rows = switched(rows, begin, code, switch);
            }
        }
        Some(Described { end, rows })
    }

    /// Whether the name number `name` begins by `wanted`.
    fn begins(&self, blocks: &mut Blocks, name: u32, wanted: &[u8]) -> bool {
        let mut bytes = Vec::new();
        let at = self.names.checked_add(u64::from(name));
        let read = at.and_then(|at| blocks.read(at, wanted.len(), &mut bytes));
        read.is_some() && bytes == *wanted
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

/// The last byte of each call in code at `begin`, and whether it is a direct one. No
/// instruction that is interrupted begins there; what is looked up there has been called.
fn calls(begin: u64, code: &[u8]) -> Vec<(u64, bool)> {
    (begin..)
        .zip(code.windows(5))
        .filter_map(|(at, bytes)| match bytes {
            // call *%reg
            [0xff, 0xd0..=0xd7, ..] => Some((at + 1, false)),
            [0xe8, ..] => Some((at + 4, true)),
            _ => None,
        })
        .collect()
}

/// The rule of `rows` that holds at an address.
fn holds(rows: &[(u64, Rule)], at: u64) -> Rule {
    let after = rows.partition_point(|&(from, _)| from <= at);
    let row = after.checked_sub(1).and_then(|last| rows.get(last));
    row.map_or(Rule::DOUBTFUL, |&(_, rule)| rule)
}

/// `rows`, with others for the first to before the last address of each of `places`.
fn with(rows: Vec<(u64, Rule)>, places: &[(u64, u64, Rule)]) -> Vec<(u64, Rule)> {
    let mut all = rows;
    for &(from, to, rule) in places {
        let after = (to, holds(&all, to));
        all.retain(|&(at, _)| !(from..=to).contains(&at));
        let place = all.partition_point(|&(at, _)| at < from);
        all.splice(place..place, [(from, rule), after]);
    }
    all
}

/// One past the first instruction of `code` that is one of `wanted`, with as many bytes
/// of an operand behind it as are told.
fn after(code: &[u8], wanted: &[(&[u8], usize)]) -> Option<usize> {
    (0..code.len()).find_map(|at| {
        let rest = code.get(at..)?;
        let mut all = wanted.iter();
        let (bytes, operand) = all.find(|(bytes, _)| rest.starts_with(bytes))?;
        Some(at + bytes.len() + operand)
    })
}

/// `rows` of a function at `begin` that begins with `code`. Where it saves the frame
/// pointer, that is right below the return address (cmd/internal/obj/x86/obj6.go,
/// `preprocess`).
fn with_frame_pointers(rows: Vec<(u64, Rule)>, begin: u64, code: &[u8]) -> Vec<(u64, Rule)> {
    // mov %rbp,disp(%rsp), or push %rbp
    const SAVES: [(&[u8], usize); 3] = [
        (&[0x48, 0x89, 0x6c, 0x24], 1),
        (&[0x48, 0x89, 0xac, 0x24], 4),
        (&[0x55, 0x48, 0x89, 0xe5], 0),
    ];
    let prologue = code.get(..code.len().min(PROLOGUE)).unwrap_or(code);
    let Some(saved) = after(prologue, &SAVES) else {
        return rows;
    };
    // Code that is called by C saves it elsewhere.
    let place = match prologue.get(..saved) {
        Some([.., 0x48, 0x89, 0x6c, 0x24, place]) => Some(i32::from(*place)),
        Some([.., 0x48, 0x89, 0xac, 0x24, a, b, c, d]) => {
            Some(i32::from_le_bytes([*a, *b, *c, *d]))
        }
        _ => None,
    };
    let saved = begin + saved as u64;
    if place.is_some_and(|place| place != holds(&rows, saved - 1).cfa_offset - 16) {
        return rows;
    }
    let mut all = Vec::with_capacity(rows.len() + 1);
    for (number, &(at, rule)) in rows.iter().enumerate() {
        let same = Rule {
            fp: Rule::FP_SAME,
            ..rule
        };
        let kept = Rule {
            fp: Rule::FP_AT_CFA,
            fp_offset: -16,
            ..rule
        };
        if rule.cfa != Rule::CFA_SP || rule.fp != Rule::FP_LOST {
            all.push((at, rule));
            continue;
        }
        let next = rows.get(number + 1).map_or(u64::MAX, |&(next, _)| next);
        if at < saved {
            all.push((at, same));
        }
        if saved < next {
            all.push((at.max(saved), kept));
        }
    }
    all
}

/// `rows` of a function at `begin` with this `code`, which moves the stack pointer to
/// another stack.
fn switched(
    rows: Vec<(u64, Rule)>,
    begin: u64,
    code: &[u8],
    switch: Option<Switch>,
) -> Vec<(u64, Rule)> {
    // lea disp(%rsp),%rbp, or mov %rsp,%rbp
    const SETS: [(&[u8], usize); 3] = [
        (&[0x48, 0x8d, 0x6c, 0x24], 1),
        (&[0x48, 0x8d, 0xac, 0x24], 4),
        (&[0x48, 0x89, 0xe5], 0),
    ];
    // Its own frame pointer stays, wherever the stack pointer is.
    let framed = after(code, &SETS).map(|after| begin + after as u64);
    let own = Rule {
        fp: Rule::FP_AT_CFA,
        cfa_offset: 16,
        ra_offset: -8,
        fp_offset: -16,
        mode: Rule::MODE_ELSEWHERE,
        ..Rule::of(Rule::CFA_FP)
    };
    let end = begin + code.len() as u64;
    let loads = loads(begin, code);
    // From the first instruction on another stack to the last.
    let away = loads
        .first()
        .map(|&from| (from, loads.get(1).map_or(end, |&to| to)));
    let all = calls(begin, code);
    let places: Vec<(u64, u64, Rule)> = match (switch, framed, away) {
        (Some(Switch::Leaves), _, Some((from, _))) => vec![(from, end, ROOT)],
        // The kernel has gone over, for a new thread.
        (Some(Switch::Leaves), _, None) => {
            let indirect = all.iter().filter(|(_, is_direct)| !is_direct);
            indirect.map(|&(at, _)| (at, at + 1, ROOT)).collect()
        }
        (Some(Switch::CallsC), ..) => called_c(&rows, begin, code, away),
        (Some(Switch::Calls) | None, Some(framed), _) => {
            let nexts = rows.iter().skip(1).map(|&(at, _)| at).chain([end]);
            let rows = rows.iter().zip(nexts);
            rows.filter(|&(&(_, rule), next)| rule.cfa_offset > 8 && framed < next)
                .map(|(&(at, _), next)| (at.max(framed), restored(begin, code, next), own))
                .collect()
        }
        // Without a frame pointer of its own, it has its caller's.
        (Some(Switch::Calls), None, Some((from, to))) => (from..to)
            .map(|at| {
                // What has been called is looked up one byte before.
                let is_call = all.iter().any(|&(call, _)| call == at);
                let rule = Rule {
                    second: i32::try_from(at + u64::from(is_call) - begin).unwrap_or(0),
                    ..Rule::of(Rule::CFA_SOUGHT)
                };
                (at, at + 1, rule)
            })
            .collect(),
        (Some(Switch::Grows) | None, _, Some((from, _))) => {
            vec![(from, end, Rule::of(Rule::UNSUPPORTED))]
        }
        (_, _, None) => Vec::new(),
    };
    with(rows, &places)
}

/// One past each instruction of code at `begin` that loads the stack pointer.
fn loads(begin: u64, code: &[u8]) -> Vec<u64> {
    (begin..)
        .zip(code.windows(4))
        .filter_map(|(at, bytes)| match bytes {
            // mov %reg,%rsp
            [0x48, 0x89, operand, _] if operand & 0xc7 == 0xc4 => Some(at + 3),
            // mov disp(%reg),%rsp
            [0x48 | 0x49, 0x8b, operand, _] if operand & 0xf8 == 0x60 => Some(at + 4),
            _ => None,
        })
        .collect()
}

/// Where the frame pointer of a function at `begin` is the caller's again, at the latest
/// at `next`, where its frame is gone.
fn restored(begin: u64, code: &[u8], next: u64) -> u64 {
    // add $n,%rsp
    let length = usize::try_from(next.saturating_sub(begin)).unwrap_or(usize::MAX);
    match code.get(..length) {
        Some([.., 0x48, 0x8b, 0x6c, 0x24, _, 0x48, 0x83, 0xc4, _]) => next - 4,
        Some([.., 0x48, 0x8b, 0x6c, 0x24, _, 0x48, 0x81, 0xc4, _, _, _, _]) => next - 7,
        _ => next,
    }
}

/// The places of a function at `begin`, with these `rows`, that has called C: what it
/// does afterwards tells what it has written down. `mov g(%rsp),%rdi; mov 8(%rdi),%rsi;
/// sub depth(%rsp),%rsi` computes its own stack pointer; where it was on the right stack
/// already, `mov depth(%rsp),%rsi` loads it.
fn called_c(
    rows: &[(u64, Rule)],
    begin: u64,
    code: &[u8],
    away: Option<(u64, u64)>,
) -> Vec<(u64, u64, Rule)> {
    let slot = |code: &[u8], register: u8| match code {
        [operand, 0x24, slot, ..] if *operand == 0x44 | register << 3 => Some(i32::from(*slot)),
        [operand, 0x24, ..] if *operand == 0x04 | register << 3 => Some(0),
        _ => None,
    };
    const RDI: u8 = 7;
    const RSI: u8 = 6;
    let mut places = Vec::new();
    for (at, _) in calls(begin, code) {
        let own = holds(rows, at);
        let from = usize::try_from(at + 1 - begin).unwrap_or(usize::MAX);
        let Some(rest) = code.get(from..code.len().min(from.saturating_add(32))) else {
            continue;
        };
        let saved = rest.windows(4).enumerate().find_map(|(place, window)| {
            let [0x48, 0x8b, 0x77, 8] = window else {
                return None;
            };
            let before = rest.get(..place)?;
            let goroutine = match before {
                [.., 0x48, 0x8b, a, b, c] if *a & 0xc0 == 0x40 => slot(&[*a, *b, *c], RDI)?,
                [.., 0x48, 0x8b, a, b] => slot(&[*a, *b], RDI)?,
                _ => return None,
            };
            let [0x48, 0x2b, depth @ ..] = rest.get(place + 4..)? else {
                return None;
            };
            Some((goroutine, slot(depth, RSI)?))
        });
        let loaded = || match rest {
            [0x48, 0x8b, depth @ ..] => slot(depth, RSI),
            _ => None,
        };
        let rule = match (saved, loaded()) {
            (Some((goroutine, depth)), _) => Rule {
                cfa_offset: goroutine,
                second: depth,
                add: own.cfa_offset,
                mode: Rule::MODE_ELSEWHERE,
                cfa: Rule::CFA_SAVED,
                ..own
            },
            (None, Some(depth)) => Rule {
                cfa_offset: depth,
                add: own.cfa_offset,
                cfa: Rule::CFA_AT_SP,
                ..own
            },
            // It was called before it went over.
            (None, None) => continue,
        };
        match away.filter(|&(from, to)| saved.is_some() && from <= at && at < to) {
            Some((from, to)) => {
                places.push((from, at, Rule::of(Rule::UNSUPPORTED)));
                places.push((at, to, rule));
            }
            None => places.push((at, at + 1, rule)),
        }
    }
    places
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
            _ => Rule::DOUBTFUL,
        };
        rows.push((at, rule));
        match number(&mut bytes) {
            Some(length) if length > 0 => at = at.saturating_add(u64::from(length)),
            _ => break,
        }
    }
    if rows.is_empty() || at < end {
        rows.push((at, Rule::DOUBTFUL));
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
