//! What an ELF file says of its code: where it lies, and how to unwind it.

use std::io::Read as _;

use gimli::{BaseAddresses, EhFrameHdr, LittleEndian};
use object::elf::{
    self, CompressionHeader64, EM_AARCH64, EM_X86_64, FileHeader64, ProgramHeader64,
    SectionHeader64,
};
use object::read::elf::Sym as _;
use object::read::elf::{
    CompressionHeader as _, FileHeader as _, ProgramHeader as _, SectionHeader as _,
};
use object::{Endianness, ReadCache, ReadRef};

use super::bytes::{self, Bytes, InOrder, MOST};
use super::segment::{Machine, Segment};

/// One section of call frame information.
pub(super) struct Frames {
    pub(super) data: Vec<u8>,
    pub(super) bases: BaseAddresses,
}

/// A section of the file, which is not read yet.
pub(super) struct Section {
    /// Offset in the file, and the bytes it has there.
    pub(super) offset: u64,
    pub(super) size: u64,
    /// Its address.
    address: u64,
    /// How many bytes it has when it is inflated, where it is compressed.
    inflated: Option<u64>,
}

/// The search table of `.eh_frame_hdr` (Linux Standard Base 5.0, 10.6.2): pairs
/// of the address of a function and that of its description, ascending, both
/// as signed 32 bits relative to the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SearchTable {
    /// Offset in the file.
    pub(super) offset: u64,
    /// How many pairs.
    pub(super) count: u64,
    /// The address of the header.
    pub(super) header: u64,
    /// The address of `.eh_frame`.
    pub(super) frames: u64,
}

/// An ELF file, as far as unwinding needs it.
pub(super) struct Image {
    pub(super) machine: Machine,
    /// Executable segments, in order of address, none overlapping.
    pub(super) code: Vec<Segment>,
    /// All segments that are mapped.
    loaded: Vec<Segment>,
    /// Where the program begins; zero for none.
    pub(super) entry: u64,
    /// Whether it is run by itself, without an interpreter: a static program.
    pub(super) is_static: bool,
    /// The address of `.text`.
    pub(super) text: u64,
    /// Where there is one.
    pub(super) table: Option<SearchTable>,
    eh_frame: Option<Section>,
    debug_frame: Option<Section>,
    /// Go's own table, of x86-64.
    pub(super) go: Option<Section>,
}

type Header = FileHeader64<Endianness>;

fn header<'data, R: ReadRef<'data>>(data: R) -> Option<(&'data Header, Machine)> {
    let header = Header::parse(data).ok()?;
    let endian = header.endian().ok()?;
    if endian != Endianness::Little {
        return None;
    }
    let machine = match header.e_machine(endian) {
        EM_X86_64 => Machine::X86_64,
        EM_AARCH64 => Machine::Aarch64,
        _ => return None,
    };
    Some((header, machine))
}

impl Image {
    /// Reads the headers of a 64-bit ELF file; `None` for anything else.
    pub(super) fn parse(bytes: &dyn Bytes) -> Option<Self> {
        let cache = ReadCache::new(InOrder::new(bytes));
        let data = &cache;
        let (header, machine) = header(data)?;
        let endian = Endianness::Little;
        let segments = header.program_headers(endian, data).ok()?;
        let sections = header.sections(endian, data).ok();
        let named = |name: &[u8]| {
            let (_, section) = sections.as_ref()?.section_by_name(endian, name)?;
            Some(section)
        };
        let section = |name: &[u8]| section(named(name)?, endian, data);
        let go = || section(b".gopclntab").or_else(|| section(b".data.rel.ro.gopclntab"));
        let entry = header.e_entry(endian);
        let interpreted = segments
            .iter()
            .any(|segment| segment.p_type(endian) == elf::PT_INTERP);
        Some(Self {
            machine,
            code: loaded(segments, endian, true),
            loaded: loaded(segments, endian, false),
            entry,
            is_static: entry != 0 && !interpreted,
            text: named(b".text").map_or(0, |section| section.sh_addr(endian)),
            table: search_table(segments, endian, data),
            eh_frame: section(b".eh_frame"),
            debug_frame: section(b".debug_frame"),
            go: go().filter(|_| machine == Machine::X86_64),
        })
    }

    /// `.debug_frame`, if there is any; `bytes` are those of the file.
    pub(super) fn debug_frame(&self, bytes: &dyn Bytes) -> Option<Frames> {
        let section = self.debug_frame.as_ref()?;
        Some(Frames {
            data: section.contents(bytes)?,
            bases: self.bases(),
        })
    }

    /// `.eh_frame`, if there is any, also where it has no name.
    pub(super) fn eh_frame(&self, bytes: &dyn Bytes) -> Option<Frames> {
        let named = self.eh_frame.as_ref().and_then(|section| {
            Some(Frames {
                data: section.contents(bytes)?,
                bases: self.bases().set_eh_frame(section.address),
            })
        });
        named.or_else(|| by_segment(bytes, self.bases()))
    }

    fn bases(&self) -> BaseAddresses {
        BaseAddresses::default().set_text(self.text)
    }

    /// Where in the file the byte at `address` is.
    pub(super) fn offset(&self, address: u64) -> Option<u64> {
        let mut segments = self.loaded.iter();
        let segment = segments.find(|one| one.address <= address && address < one.end())?;
        segment.offset.checked_add(address - segment.address)
    }

    /// How many bytes of code lie at `address`, `length` at most.
    pub(super) fn code_at(&self, address: u64, length: u64) -> u64 {
        let mut segments = self.code.iter();
        let segment = segments.find(|one| one.address <= address && address < one.end());
        segment.map_or(0, |segment| length.min(segment.end() - address))
    }
}

/// Functions of C libraries that have no caller: of musl, whose own code has no
/// unwind information (crt/crt1.c, src/env/__libc_start_main.c,
/// src/thread/pthread_create.c, src/thread/x86_64/clone.s).
const BEGINNINGS: [&[u8]; 8] = [
    b"_start",
    b"_start_c",
    b"_dlstart_c",
    b"__libc_start_main",
    b"libc_start_main_stage2",
    b"__clone",
    b"start",
    b"start_c11",
];

/// Bytes before `__libc_start_main` in which a stripped library has the second
/// half of it.
const STAGE_2: u64 = 64;

/// Most bytes of a symbol table that is searched.
const MOST_SYMBOLS: u64 = 16 << 20;

/// The code that begins programs and threads, where it has names: first
/// address, one past the last.
pub(super) fn beginnings(bytes: &dyn Bytes) -> Vec<(u64, u64)> {
    let cache = ReadCache::new(InOrder::new(bytes));
    let data = &cache;
    let endian = Endianness::Little;
    let sections = header(data).and_then(|(header, _)| header.sections(endian, data).ok());
    let Some(sections) = sections else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for kind in [elf::SHT_SYMTAB, elf::SHT_DYNSYM] {
        let small = sections
            .iter()
            .filter(|section| section.sh_type(endian) == kind)
            .all(|section| section.sh_size(endian) <= MOST_SYMBOLS);
        let Ok(symbols) = sections.symbols(endian, data, kind) else {
            continue;
        };
        if !small {
            continue;
        }
        for symbol in symbols.iter() {
            if symbol.st_type() != elf::STT_FUNC && symbol.st_type() != elf::STT_NOTYPE {
                continue;
            }
            let Ok(name) = symbol.name(endian, symbols.strings()) else {
                continue;
            };
            if BEGINNINGS.contains(&name) {
                let begin = symbol.st_value(endian);
                let end = begin.saturating_add(symbol.st_size(endian).max(1));
                let stripped = kind == elf::SHT_DYNSYM && name == b"__libc_start_main";
                let before = if stripped { STAGE_2 } else { 0 };
                found.push((begin.saturating_sub(before), end));
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    found.sort_unstable();
    found
}

/// Most bytes of symbol tables in which functions are looked for.
const MOST_NAMED: u64 = 32 << 20;

/// The functions of the symbol tables, in order of address: first address, one past the
/// last. None where these tables are large.
pub(super) fn functions(bytes: &dyn Bytes) -> Vec<(u64, u64)> {
    let cache = ReadCache::new(InOrder::new(bytes));
    let data = &cache;
    let endian = Endianness::Little;
    let sections = header(data).and_then(|(header, _)| header.sections(endian, data).ok());
    let Some(sections) = sections else {
        return Vec::new();
    };
    let kinds = [elf::SHT_SYMTAB, elf::SHT_DYNSYM];
    let all = sections.iter();
    let tables = all.filter(|section| kinds.contains(&section.sh_type(endian)));
    let size = tables.fold(0_u64, |sum, one| sum.saturating_add(one.sh_size(endian)));
    if size > MOST_NAMED {
        return Vec::new();
    }
    let mut found = Vec::new();
    for kind in kinds {
        let Ok(symbols) = sections.symbols(endian, data, kind) else {
            continue;
        };
        let functions = symbols.iter().filter(|symbol| {
            symbol.st_type() == elf::STT_FUNC && symbol.st_shndx(endian) != elf::SHN_UNDEF
        });
        found.extend(functions.map(|symbol| {
            let begin = symbol.st_value(endian);
            (begin, begin.saturating_add(symbol.st_size(endian)))
        }));
    }
    found.sort_unstable();
    // The longest of those at one address.
    found.reverse();
    found.dedup_by_key(|&mut (begin, _)| begin);
    found.reverse();
    found
}

/// The segments that are mapped, those with code only if asked to: in order of
/// address, none overlapping.
fn loaded(
    segments: &[ProgramHeader64<Endianness>],
    endian: Endianness,
    code: bool,
) -> Vec<Segment> {
    let mut loaded: Vec<_> = segments
        .iter()
        .filter(|segment| {
            let executable = segment.p_flags(endian).contains(elf::PF_X);
            segment.p_type(endian) == elf::PT_LOAD && (executable || !code)
        })
        .map(|segment| Segment {
            offset: segment.p_offset(endian),
            length: segment.p_filesz(endian),
            address: segment.p_vaddr(endian),
        })
        .filter(|segment| {
            segment.length > 0 && segment.address.checked_add(segment.length).is_some()
        })
        .collect();
    loaded.sort_by_key(|segment| segment.address);
    let mut end = 0;
    loaded.retain(|segment| {
        let after = segment.address >= end;
        if after {
            end = segment.end();
        }
        after
    });
    loaded
}

/// The search table, in the one form that linkers make.
fn search_table<'data, R: ReadRef<'data>>(
    segments: &[ProgramHeader64<Endianness>],
    endian: Endianness,
    data: R,
) -> Option<SearchTable> {
    /// Version 1; the address of `.eh_frame` as signed 32 bits from here, the
    /// number of pairs as unsigned 32 bits, the pairs as signed 32 bits from
    /// the header.
    const FORM: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
    /// Of all that precedes the pairs.
    const HEAD: u64 = 12;
    let mut segments = segments.iter();
    let segment = segments.find(|segment| segment.p_type(endian) == elf::PT_GNU_EH_FRAME)?;
    let (offset, header) = (segment.p_offset(endian), segment.p_vaddr(endian));
    let head = data.read_bytes_at(offset, HEAD).ok()?;
    let (form, numbers) = head.split_first_chunk::<4>()?;
    let (frames, count) = numbers.split_first_chunk::<4>()?;
    let frames = i64::from(i32::from_le_bytes(*frames));
    let count = u64::from(u32::from_le_bytes(*count.first_chunk()?));
    let room = segment.p_filesz(endian).saturating_sub(HEAD) / 8;
    (*form == FORM && 0 < count && count <= room).then_some(SearchTable {
        offset: offset.checked_add(HEAD)?,
        count,
        header,
        frames: header.wrapping_add(4).wrapping_add_signed(frames),
    })
}

/// Where a section is; `None` where it has no bytes in the file, or is compressed in
/// a way that is not known.
fn section<'data, R: ReadRef<'data>>(
    section: &SectionHeader64<Endianness>,
    endian: Endianness,
    data: R,
) -> Option<Section> {
    let compressed = section.compression(endian, data).ok()?;
    let compressed: Option<(&CompressionHeader64<Endianness>, u64, u64)> = compressed;
    let (offset, size) = match compressed {
        Some((header, ..)) if header.ch_type(endian) != elf::ELFCOMPRESS_ZLIB => return None,
        Some((_, offset, size)) => (offset, size),
        None => section.file_range(endian)?,
    };
    Some(Section {
        offset,
        size,
        address: section.sh_addr(endian),
        inflated: compressed.map(|(header, ..)| header.ch_size(endian)),
    })
}

impl Section {
    /// Its bytes, inflated if need be; `None` where it has none, too many, or they
    /// cannot be had.
    fn contents(&self, bytes: &dyn Bytes) -> Option<Vec<u8>> {
        let packed = bytes::all(bytes, self.offset, self.size)?;
        let contents = match self.inflated {
            None => packed,
            Some(inflated) if inflated > MOST => return None,
            Some(inflated) => {
                let mut contents = Vec::new();
                flate2::read::ZlibDecoder::new(packed.as_slice())
                    .take(inflated)
                    .read_to_end(&mut contents)
                    .ok()?;
                contents
            }
        };
        (!contents.is_empty()).then_some(contents)
    }
}

/// `.eh_frame` of a file without section headers: its header is a segment of
/// its own (Linux Standard Base 5.0, 10.6.2).
fn by_segment(bytes: &dyn Bytes, bases: BaseAddresses) -> Option<Frames> {
    let cache = ReadCache::new(InOrder::new(bytes));
    let data = &cache;
    let endian = Endianness::Little;
    let segments = header(data)?.0.program_headers(endian, data).ok()?;
    let find = |wanted: elf::ProgramType| {
        segments
            .iter()
            .filter(move |segment| segment.p_type(endian) == wanted)
    };
    let header = find(elf::PT_GNU_EH_FRAME).next()?;
    let bytes = header.data(endian, data).ok()?;
    let bases = bases.set_eh_frame_hdr(header.p_vaddr(endian));
    let parsed = EhFrameHdr::new(bytes, LittleEndian).parse(&bases, 8).ok()?;
    let start = match parsed.eh_frame_ptr() {
        gimli::Pointer::Direct(address) => address,
        gimli::Pointer::Indirect(_) => return None,
    };
    let segment = find(elf::PT_LOAD).find(|segment| {
        let begin = segment.p_vaddr(endian);
        (begin..begin.saturating_add(segment.p_filesz(endian))).contains(&start)
    })?;
    let skipped = start - segment.p_vaddr(endian);
    let length = segment.p_filesz(endian) - skipped;
    let offset = segment.p_offset(endian).checked_add(skipped)?;
    let frames = data.read_bytes_at(offset, length.min(MOST)).ok()?;
    Some(Frames {
        data: frames.to_vec(),
        bases: bases.set_eh_frame(start),
    })
}
