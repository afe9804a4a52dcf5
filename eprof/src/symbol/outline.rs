//! What an ELF file has to offer: its code segments, and whether there is
//! debug information in it.

use std::fs::File;

use object::elf::{FileHeader32, FileHeader64, PF_X, PT_LOAD, SHT_NOBITS};
use object::read::elf::{FileHeader, ProgramHeader as _, SectionHeader as _};
use object::{Endianness, FileKind, ReadCache, ReadRef};

use crate::mappings::identity::Pieces;
use crate::measurement::Segment;

/// The most segments that are looked at.
const MOST_SEGMENTS: usize = 1024;

/// What an ELF file has to offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Executable `PT_LOAD` segments with content, in the order of the file.
    pub(crate) segments: Vec<Segment>,
    /// Whether there is a `.debug_info` with content.
    pub(crate) debug_info: bool,
}

impl Outline {
    /// Reads the outline of `file`; what cannot be read is not there.
    pub(crate) fn of(file: &File) -> Self {
        let cache = ReadCache::new(file);
        let head = Pieces(&cache);
        match FileKind::parse(head) {
            Ok(FileKind::Elf64) => outline::<FileHeader64<Endianness>, _>(head),
            Ok(FileKind::Elf32) => outline::<FileHeader32<Endianness>, _>(head),
            _ => None,
        }
        .unwrap_or_default()
    }
}

fn outline<'data, H, R>(data: R) -> Option<Outline>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = H::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, data).ok()?.iter();
    let code = segments.filter(|segment| {
        segment.p_type(endian) == PT_LOAD && segment.p_flags(endian).0 & PF_X.0 != 0
    });
    let segments = code
        .map(|segment| Segment {
            offset: segment.p_offset(endian).into(),
            length: segment.p_filesz(endian).into(),
            address: segment.p_vaddr(endian).into(),
        })
        .filter(|segment| segment.length > 0)
        .take(MOST_SEGMENTS)
        .collect();
    let debug_info = header.sections(endian, data).is_ok_and(|sections| {
        sections.iter().any(|section| {
            section.sh_type(endian) != SHT_NOBITS
                && section.sh_size(endian).into() > 0
                && sections
                    .section_name(endian, section)
                    .is_ok_and(|name| matches!(name, b".debug_info" | b".zdebug_info"))
        })
    });
    Some(Outline {
        segments,
        debug_info,
    })
}

/// The address in the symbol table of the byte at `offset` of the file.
pub(crate) fn address(segments: &[Segment], offset: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let within = offset.checked_sub(segment.offset)?;
        (within < segment.length).then(|| segment.address.wrapping_add(within))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use std::io::{Read as _, Write as _};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offsets_become_addresses_of_the_segment_they_are_in() {
        let segment = |offset, length, address| Segment {
            offset,
            length,
            address,
        };
        let segments = [segment(0x1000, 0x10, 0x40_1000), segment(0x2000, 0x10, 7)];
        assert_eq!(address(&segments, 0xfff), None);
        assert_eq!(address(&segments, 0x100f), Some(0x40_100f));
        assert_eq!(address(&segments, 0x1010), None);
        assert_eq!(address(&segments, 0x2001), Some(8));
    }

    #[test]
    fn this_program_has_code() {
        let file = File::open("/proc/self/exe").unwrap();
        let outline = Outline::of(&file);
        assert!(!outline.segments.is_empty());
        let nothing = Outline::of(&File::open("/proc/self/status").unwrap());
        assert_eq!(nothing, Outline::default());
    }

    proptest! {
        /// A program's head, its tables cut off, with some bytes changed.
        #[test]
        fn a_broken_file_has_a_bounded_outline(
            changes in prop::collection::vec((0_usize..2048, any::<u8>()), 0..40),
            length in 0_usize..4096,
        ) {
            let mut bytes = vec![0; 4096];
            File::open("/proc/self/exe").unwrap().read_exact(&mut bytes).unwrap();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes[..length]).unwrap();
            let outline = Outline::of(&file);
            prop_assert!(outline.segments.len() <= MOST_SEGMENTS);
            for offset in [0, 1, 0x1000, u64::MAX] {
                address(&outline.segments, offset);
            }
        }
    }
}
