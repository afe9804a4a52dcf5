//! What an ELF file says of its code: where it lies, and how to unwind it.

use std::borrow::Cow;
use std::io::Read as _;

use gimli::{BaseAddresses, EhFrameHdr, LittleEndian};
use object::elf::{
    self, CompressionHeader64, EM_AARCH64, EM_X86_64, FileHeader64, ProgramHeader64,
    SectionHeader64,
};
use object::read::elf::{
    CompressionHeader as _, FileHeader as _, ProgramHeader as _, SectionHeader as _,
};
use object::read::elf::{SectionTable, Sym as _};
use object::{Endianness, ReadRef};

/// Most bytes of unwind information that are read of one file.
const MOST_FRAMES: u64 = 256 << 20;

/// The processors whose code can be unwound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// x86-64.
    X86_64,
    /// AArch64, little-endian.
    Aarch64,
}

impl Machine {
    /// That of this process; `None` for one that is not known here.
    pub const fn native() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Aarch64)
        } else {
            None
        }
    }
}

/// A piece of a file that is mapped as code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset in the file.
    pub offset: u64,
    /// Length in bytes, as far as it is in the file.
    pub length: u64,
    /// Address, relative to where the file is loaded.
    pub address: u64,
}

impl Segment {
    /// One past the last address.
    pub fn end(&self) -> u64 {
        self.address.saturating_add(self.length)
    }
}

/// One section of call frame information.
pub(super) struct Frames<'data> {
    pub(super) data: Cow<'data, [u8]>,
    pub(super) bases: BaseAddresses,
}

/// An ELF file, as far as unwinding needs it.
pub(super) struct Image<'data, R: ReadRef<'data>> {
    data: R,
    pub(super) machine: Machine,
    /// Executable segments, in order of address, none overlapping.
    pub(super) code: Vec<Segment>,
    /// Where the program begins; zero for none.
    pub(super) entry: u64,
    /// The code that begins programs and threads, where it has names: first
    /// address, one past the last.
    pub(super) beginnings: Vec<(u64, u64)>,
    pub(super) eh_frame: Option<Frames<'data>>,
    pub(super) debug_frame: Option<Frames<'data>>,
}

impl<'data, R: ReadRef<'data>> Image<'data, R> {
    /// Reads the headers and the unwind information of a 64-bit ELF file;
    /// `None` for anything else.
    pub(super) fn parse(data: R) -> Option<Self> {
        let header = FileHeader64::<Endianness>::parse(data).ok()?;
        let endian = header.endian().ok()?;
        if endian != Endianness::Little {
            return None;
        }
        let machine = match header.e_machine(endian) {
            EM_X86_64 => Machine::X86_64,
            EM_AARCH64 => Machine::Aarch64,
            _ => return None,
        };
        let segments = header.program_headers(endian, data).ok()?;
        let sections = header.sections(endian, data).ok();
        let section = |name: &[u8]| {
            let (_, section) = sections.as_ref()?.section_by_name(endian, name)?;
            Some(section)
        };
        let text = section(b".text").map_or(0, |section| section.sh_addr(endian));
        let bases = BaseAddresses::default().set_text(text);
        let mut eh_frame = section(b".eh_frame").and_then(|section| {
            let data = contents(section, endian, data)?;
            let bases = bases.clone().set_eh_frame(section.sh_addr(endian));
            (!data.is_empty()).then_some(Frames { data, bases })
        });
        if eh_frame.is_none() {
            eh_frame = by_segment(segments, endian, data, bases.clone());
        }
        let debug_frame = section(b".debug_frame").and_then(|section| {
            let data = contents(section, endian, data)?;
            (!data.is_empty()).then_some(Frames { data, bases })
        });
        Some(Self {
            data,
            machine,
            code: code(segments, endian),
            entry: header.e_entry(endian),
            beginnings: sections
                .as_ref()
                .map(|sections| beginnings(sections, endian, data))
                .unwrap_or_default(),
            eh_frame,
            debug_frame,
        })
    }

    /// The bytes of the file that are mapped at `address`, at most `length` of
    /// them.
    pub(super) fn bytes(&self, address: u64, length: u64) -> Option<&'data [u8]> {
        let segment = self
            .code
            .iter()
            .find(|segment| segment.address <= address && address < segment.end())?;
        let length = length.min(segment.end() - address);
        let offset = segment.offset.checked_add(address - segment.address)?;
        self.data.read_bytes_at(offset, length).ok()
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

fn beginnings<'data, R: ReadRef<'data>>(
    sections: &SectionTable<'data, FileHeader64<Endianness>, R>,
    endian: Endianness,
    data: R,
) -> Vec<(u64, u64)> {
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

fn code(segments: &[ProgramHeader64<Endianness>], endian: Endianness) -> Vec<Segment> {
    let mut code: Vec<_> = segments
        .iter()
        .filter(|segment| {
            segment.p_type(endian) == elf::PT_LOAD && segment.p_flags(endian).contains(elf::PF_X)
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
    code.sort_by_key(|segment| segment.address);
    let mut end = 0;
    code.retain(|segment| {
        let after = segment.address >= end;
        if after {
            end = segment.end();
        }
        after
    });
    code
}

/// The bytes of a section, inflated if need be; `None` where they cannot be
/// had.
fn contents<'data, R: ReadRef<'data>>(
    section: &SectionHeader64<Endianness>,
    endian: Endianness,
    data: R,
) -> Option<Cow<'data, [u8]>> {
    if section.sh_size(endian) > MOST_FRAMES {
        return None;
    }
    let Some((header, offset, size)) = section.compression(endian, data).ok()? else {
        return section.data(endian, data).ok().map(Cow::Borrowed);
    };
    let header: &CompressionHeader64<Endianness> = header;
    let inflated = header.ch_size(endian);
    if header.ch_type(endian) != elf::ELFCOMPRESS_ZLIB || inflated > MOST_FRAMES {
        return None;
    }
    let packed = data.read_bytes_at(offset, size).ok()?;
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(packed)
        .take(inflated)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(Cow::Owned(bytes))
}

/// `.eh_frame` of a file without section headers: its header is a segment of
/// its own (Linux Standard Base 5.0, 10.6.2).
fn by_segment<'data, R: ReadRef<'data>>(
    segments: &[ProgramHeader64<Endianness>],
    endian: Endianness,
    data: R,
    bases: BaseAddresses,
) -> Option<Frames<'data>> {
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
    let frames = data.read_bytes_at(offset, length.min(MOST_FRAMES)).ok()?;
    Some(Frames {
        data: Cow::Borrowed(frames),
        bases: bases.set_eh_frame(start),
    })
}
