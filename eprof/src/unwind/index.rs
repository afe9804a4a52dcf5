//! The functions of a file by address: by the search table that its linker
//! made, or a list of all descriptions where there is none.

use eprof_common::Rule;
use gimli::{
    BaseAddresses, CieOrFde, DebugFrame, EhFrame, EndianSlice, FrameDescriptionEntry, LittleEndian,
    UnwindContext, UnwindOffset, UnwindSection, Vendor,
};

use super::bytes::{Blocks, Bytes};
use super::cfi;
use super::image::{Frames, Image, SearchTable};
use super::pclntab::{self, Pclntab};
use super::segment::{Described, Machine, ROOT, Segment};

/// Most functions of one file: ten times those of the largest known.
const MOST_FUNCTIONS: usize = 4 << 20;

/// The longest description of a function that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Pairs of a search table that are read at a time.
const PAIRS: u64 = 256;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// A function, or a part of one, that has unwind information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) begin: u64,
    place: Place,
}

/// Where its description is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// At this address.
    Address(u64),
    /// At this offset of `.eh_frame`, which is maintained by the linker: where
    /// both sections describe a function, it comes first.
    EhFrame(usize),
    /// At this offset of `.debug_frame`.
    DebugFrame(usize),
    /// In Go's own table, by the entry at this offset of the file.
    Go(u64),
}

/// All functions.
pub(super) enum Index {
    /// In the file.
    Searched(SearchTable),
    /// In memory, with all descriptions; functions do not overlap.
    Listed {
        functions: Vec<Function>,
        eh_frame: Option<Box<Frames>>,
        debug_frame: Option<Box<Frames>>,
        go: Option<Pclntab>,
        /// Whether a signal handler returns to one of them.
        signal: bool,
    },
}

impl Index {
    /// That of `image`, which was read from `bytes`. Where Go's own table is, its
    /// linker made `.debug_frame` of the same: only one of them is read. The search
    /// table does where there is neither.
    pub(super) fn new(image: &Image, bytes: &dyn Bytes) -> Self {
        let go = pclntab::read(image, bytes);
        let debug_frame = match &go {
            Some(_) => None,
            None => image.debug_frame(bytes),
        };
        if let (None, None, Some(table)) = (&go, &debug_frame, image.table) {
            return Self::Searched(table);
        }
        let eh_frame = image.eh_frame(bytes);
        let mut all = Vec::new();
        let mut signal = false;
        if let Some(frames) = &eh_frame {
            let section = eh(&frames.data, image.machine);
            signal |= collect(&section, frames, Place::EhFrame, &image.code, &mut all);
        }
        if let Some(frames) = &debug_frame {
            let section = debug(&frames.data, image.machine);
            signal |= collect(&section, frames, Place::DebugFrame, &image.code, &mut all);
        }
        let go = go.map(|(table, functions)| {
            let room = MOST_FUNCTIONS.saturating_sub(all.len());
            all.extend(functions.into_iter().take(room).map(|function| {
                let (begin, place) = (function.begin, Place::Go(function.place));
                (Function { begin, place }, function.end)
            }));
            table
        });
        all.sort_by_key(|(function, _)| (function.begin, function.place));
        let mut last = 0;
        let mut functions = Vec::with_capacity(all.len());
        for (function, end) in all {
            if function.begin >= last {
                last = end;
                functions.push(function);
            }
        }
        Self::Listed {
            functions,
            eh_frame: eh_frame.map(Box::new),
            debug_frame: debug_frame.map(Box::new),
            go,
            signal,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Searched(_) => false,
            Self::Listed { functions, .. } => functions.is_empty(),
        }
    }

    /// Whether functions are told by Go's own table.
    pub(super) fn is_go(&self) -> bool {
        matches!(self, Self::Listed { go: Some(_), .. })
    }

    /// The last function that begins at or before `from`, those that begin
    /// before `to`, and the next one: as far as there are any.
    pub(super) fn around(&self, blocks: &mut Blocks, from: u64, to: u64) -> Vec<Function> {
        match self {
            Self::Listed { functions, .. } => {
                let first = functions.partition_point(|function| function.begin <= from);
                let next = functions.partition_point(|function| function.begin < to);
                let until = functions.len().min(next + 1);
                functions
                    .get(first.saturating_sub(1)..until)
                    .unwrap_or_default()
                    .to_vec()
            }
            Self::Searched(table) => {
                let (mut low, mut high) = (0, table.count);
                while low < high {
                    let middle = low.midpoint(high);
                    match table.pairs(blocks, middle, 1).first() {
                        Some(function) if function.begin <= from => low = middle + 1,
                        Some(_) => high = middle,
                        None => return Vec::new(),
                    }
                }
                let mut at = low.saturating_sub(1);
                let mut found = Vec::new();
                // Functions are one byte long at least.
                while at < table.count && (found.len() as u64) < to - from + 2 {
                    let pairs = table.pairs(blocks, at, PAIRS);
                    let end = pairs.iter().position(|function| function.begin >= to);
                    let wanted = end.map_or(pairs.len(), |end| end + 1);
                    at += pairs.len() as u64;
                    found.extend(pairs.get(..wanted).unwrap_or_default());
                    if end.is_some() || wanted == 0 {
                        break;
                    }
                }
                found
            }
        }
    }

    /// What is said of a function; `None` where that makes no sense.
    pub(super) fn describe(
        &self,
        blocks: &mut Blocks,
        image: &Image,
        function: &Function,
        context: &mut UnwindContext<usize>,
    ) -> Option<Described> {
        let described = match (self, function.place) {
            (Self::Searched(_), Place::Address(address)) => {
                let entry = Entry::read(blocks, image, address)?;
                let section = eh(&entry.bytes, image.machine);
                rows(&section, &entry.bases, entry.at, image, context)
            }
            (Self::Listed { eh_frame, .. }, Place::EhFrame(offset)) => {
                let Frames { data, bases } = eh_frame.as_deref()?;
                rows(&eh(data, image.machine), bases, offset, image, context)
            }
            (Self::Listed { debug_frame, .. }, Place::DebugFrame(offset)) => {
                let Frames { data, bases } = debug_frame.as_deref()?;
                rows(&debug(data, image.machine), bases, offset, image, context)
            }
            (Self::Listed { go: Some(go), .. }, Place::Go(place)) => {
                go.describe(blocks, image, place)
            }
            _ => None,
        };
        // The table may lie.
        let begin = |described: &Described| described.rows.first().map(|&(begin, _)| begin);
        described.filter(|described| begin(described) == Some(function.begin))
    }

    /// Whether a signal handler returns to one of the functions. Where they
    /// are searched, that is looked for in static programs and small files
    /// only: others are not the C library.
    pub(super) fn has_signal(&self, blocks: &mut Blocks, image: &Image) -> bool {
        /// The C library's `.eh_frame` has 150 KiB.
        const SMALL: u64 = 512 << 10;
        /// That of a program of a gigabyte, perhaps.
        const LARGE: u64 = 64 << 20;
        match self {
            Self::Listed { signal, .. } => *signal,
            Self::Searched(table) => {
                let most = if image.is_static { LARGE } else { SMALL };
                has_signal(blocks, image, table.frames, most).unwrap_or(false)
            }
        }
    }
}

impl SearchTable {
    /// As many pairs from number `first` on as there are, `most` at most.
    fn pairs(&self, blocks: &mut Blocks, first: u64, most: u64) -> Vec<Function> {
        let count = most.min(self.count.saturating_sub(first));
        let mut bytes = Vec::new();
        let read = self
            .offset
            .checked_add(first * 8)
            .and_then(|offset| blocks.read(offset, count as usize * 8, &mut bytes));
        if read.is_none() {
            return Vec::new();
        }
        let address = |bytes: [u8; 4]| {
            let relative = i64::from(i32::from_le_bytes(bytes));
            self.header.wrapping_add_signed(relative)
        };
        let (pairs, _) = bytes.as_chunks::<4>();
        let (pairs, _) = pairs.as_chunks::<2>();
        pairs
            .iter()
            .map(|&[begin, place]| Function {
                begin: address(begin),
                place: Place::Address(address(place)),
            })
            .collect()
    }
}

/// One function's description, with what it has in common with others before
/// it: as a section of its own.
struct Entry {
    bytes: Vec<u8>,
    bases: BaseAddresses,
    /// Where the description is in it.
    at: usize,
}

impl Entry {
    /// Reads the description at `address` (Linux Standard Base 5.0, 10.6.1).
    fn read(blocks: &mut Blocks, image: &Image, address: u64) -> Option<Self> {
        let (length, distance) = head(blocks, image, address)?;
        let common = (address + 4).checked_sub(u64::from(distance))?;
        let (common_length, none) = head(blocks, image, common)?;
        if distance == 0 || none != 0 {
            return None;
        }
        let mut bytes = Vec::with_capacity((length + common_length + 8) as usize);
        blocks.read(
            image.offset(common)?,
            common_length as usize + 4,
            &mut bytes,
        )?;
        let at = bytes.len();
        blocks.read(image.offset(address)?, length as usize + 4, &mut bytes)?;
        // What it has in common lies directly before it now.
        let distance = u32::try_from(at + 4).ok()?.to_le_bytes();
        bytes.get_mut(at + 4..at + 8)?.copy_from_slice(&distance);
        let begin = address.wrapping_sub(at as u64);
        Some(Self {
            bytes,
            bases: BaseAddresses::default()
                .set_text(image.text)
                .set_eh_frame(begin),
            at,
        })
    }
}

/// The length of the entry at `address` (without the length itself), and how far before
/// its second word its common entry (CIE) lies. That distance is zero for a common
/// entry.
fn head(blocks: &mut Blocks, image: &Image, address: u64) -> Option<(u64, u32)> {
    let mut bytes = Vec::with_capacity(8);
    blocks.read(image.offset(address)?, 8, &mut bytes)?;
    let (length, distance) = bytes.split_first_chunk::<4>()?;
    let length = u64::from(u32::from_le_bytes(*length));
    let distance = u32::from_le_bytes(*distance.first_chunk()?);
    // Zero ends the section; all ones precede a longer length.
    (4..LONGEST).contains(&length).then_some((length, distance))
}

/// Whether one of the descriptions from `frames` on is of code to which signal
/// handlers return; reads `most` bytes.
fn has_signal(blocks: &mut Blocks, image: &Image, frames: u64, most: u64) -> Option<bool> {
    let mut at = frames;
    while at.wrapping_sub(frames) < most {
        let (length, distance) = head(blocks, image, at)?;
        if distance == 0 {
            let mut bytes = Vec::new();
            blocks.read(image.offset(at)?, length as usize + 4, &mut bytes)?;
            // A version, and a string of letters.
            let letters = bytes.get(9..)?.split(|byte| *byte == 0).next()?;
            if letters.contains(&b'S') {
                return Some(true);
            }
        }
        at = at.checked_add(length + 4)?;
    }
    Some(false)
}

fn eh(data: &[u8], machine: Machine) -> EhFrame<Slice<'_>> {
    let mut section = EhFrame::new(data, LittleEndian);
    section.set_address_size(8);
    section.set_vendor(vendor(machine));
    section
}

fn debug(data: &[u8], machine: Machine) -> DebugFrame<Slice<'_>> {
    let mut section = DebugFrame::new(data, LittleEndian);
    section.set_address_size(8);
    section.set_vendor(vendor(machine));
    section
}

const fn vendor(machine: Machine) -> Vendor {
    match machine {
        Machine::X86_64 => Vendor::Default,
        Machine::Aarch64 => Vendor::AArch64,
    }
}

/// Finds the functions that `section` describes, and where they end; tells
/// whether a signal handler returns to one of them.
fn collect<'a, S>(
    section: &S,
    frames: &Frames,
    place: fn(usize) -> Place,
    code: &[Segment],
    functions: &mut Vec<(Function, u64)>,
) -> bool
where
    S: UnwindSection<Slice<'a>>,
{
    let mut signal = false;
    let mut common = std::collections::HashMap::new();
    let mut entries = section.entries(&frames.bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else {
            continue;
        };
        let offset = partial.offset();
        let fde = partial.parse(|section, bases, offset| {
            let key = UnwindOffset::into(offset);
            if let Some(known) = common.get(&key) {
                return Ok(gimli::CommonInformationEntry::clone(known));
            }
            let cie = section.cie_from_offset(bases, offset)?;
            common.insert(key, cie.clone());
            Ok(cie)
        });
        let Ok(fde) = fde else { continue };
        if let Some(end) = end(&fde, code)
            && functions.len() < MOST_FUNCTIONS
        {
            signal |= fde.is_signal_trampoline();
            let begin = fde.initial_address();
            let place = place(offset);
            functions.push((Function { begin, place }, end));
        }
    }
    signal
}

/// Where a function ends; `None` where it does not lie in code. What the
/// linker threw away stays behind at address zero.
fn end(fde: &FrameDescriptionEntry<Slice<'_>>, code: &[Segment]) -> Option<u64> {
    let (begin, end) = (fde.initial_address(), fde.end_address());
    let inside = code
        .iter()
        .any(|segment| segment.address <= begin && end <= segment.end());
    (begin < end && inside).then_some(end)
}

/// What the description at `offset` of `section` says.
fn rows<'a, S>(
    section: &S,
    bases: &BaseAddresses,
    offset: usize,
    image: &Image,
    context: &mut UnwindContext<usize>,
) -> Option<Described>
where
    S: UnwindSection<Slice<'a>>,
{
    let offset = S::Offset::from(offset);
    let fde = section.fde_from_offset(bases, offset, S::cie_from_offset);
    let fde = fde.ok()?;
    let begin = fde.initial_address();
    let mut described = Described {
        end: end(&fde, &image.code)?,
        rows: vec![(begin, Rule::of(Rule::UNSUPPORTED))],
    };
    if begin == image.entry {
        // Whatever is said of it, a program's entry has no caller.
        described.rows = vec![(begin, ROOT)];
        return Some(described);
    }
    if fde.is_signal_trampoline() {
        described.rows = vec![(begin, image.machine.signal())];
        return Some(described);
    }
    let Ok(mut table) = fde.rows(section, bases, context) else {
        return Some(described);
    };
    let mut at = begin;
    while let Ok(Some(row)) = table.next_row() {
        let from = row.start_address();
        if from < at || from >= described.end {
            break;
        }
        at = from;
        let rule = cfi::rule(image.machine, section, row);
        described.rows.push((from, rule));
    }
    Some(described)
}
