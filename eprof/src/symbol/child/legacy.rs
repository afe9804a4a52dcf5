//! Debug information that was compressed before ELF had a flag for it: `.zdebug_info`
//! and others, by `-gz=zlib-gnu` and by Go before 1.19. In a copy of the file it is made
//! what it would be today, for the parsers know nothing else.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use object::elf::{ELFCOMPRESS_ZLIB, FileHeader64, SHF_COMPRESSED};
use object::read::elf::{FileHeader as _, SectionHeader as _};
use object::{LittleEndian, ReadCache};

use super::memory::each_piece_from;
use crate::mappings::identity::Pieces;

/// What such a section's name begins with.
const PREFIX: &[u8] = b".zdebug_";

/// What its content begins with, before the length that it will have, the highest byte
/// first (binutils, bfd/compress.c).
const MAGIC: &[u8; 4] = b"ZLIB";

/// The length of that beginning, in bytes.
const HEAD: u64 = 12;

/// The most such sections of a file.
const MOST: usize = 32;

/// Such a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Section {
    /// Where its header is in the file.
    header: u64,
    /// Where its name is in the file, and in the table of names.
    name: (u64, u32),
    flags: u64,
    /// Where its content is, without what it begins with.
    offset: u64,
    size: u64,
    /// How long it will be.
    plain: u64,
}

/// Rewrites what is compressed in the old way in `copy`, a copy of a file; of something
/// other than a 64-bit ELF file, nothing.
///
/// # Errors
///
/// Where the copy cannot be written.
pub(super) fn renew(copy: &File) -> io::Result<()> {
    for section in sections(copy).unwrap_or_default() {
        section.renew(copy)?;
    }
    Ok(())
}

fn sections(file: &File) -> Option<Vec<Section>> {
    let length = file.metadata().ok()?.len();
    let cache = ReadCache::new(file);
    let data = Pieces(&cache);
    let header = FileHeader64::<LittleEndian>::parse(data).ok()?;
    // The other order of bytes is no machine's of eprof.
    if !header.is_little_endian() {
        return None;
    }
    let endian = LittleEndian;
    let table = header.sections(endian, data).ok()?;
    let names = header.section_strings_index(endian, data).ok()?;
    let names = table.section(names).ok()?.sh_offset(endian);
    let first = header.e_shoff(endian);
    let each = u64::from(header.e_shentsize(endian));
    let old = table.iter().zip(0_u64..).filter_map(|(section, place)| {
        let name = table.section_name(endian, section).ok()?;
        let (offset, size) = (section.sh_offset(endian), section.sh_size(endian));
        let flags = section.sh_flags(endian).0;
        let is_old = name.starts_with(PREFIX) && flags & SHF_COMPRESSED.0 == 0;
        if !is_old || size < HEAD || offset.checked_add(size)? > length {
            return None;
        }
        let mut head = [0; HEAD as usize];
        file.read_exact_at(&mut head, offset).ok()?;
        let plain = head.strip_prefix(MAGIC)?.first_chunk()?;
        let name = section.sh_name(endian);
        Some(Section {
            header: first.checked_add(each.checked_mul(place)?)?,
            name: (names.checked_add(u64::from(name))?, name),
            flags,
            offset: offset + HEAD,
            size: size - HEAD,
            plain: u64::from_be_bytes(*plain),
        })
    });
    Some(old.take(MOST).collect())
}

impl Section {
    /// Appends the content with the head that it has today (`Elf64_Chdr`), which is
    /// longer, and leads the section's header (`Elf64_Shdr`) there.
    fn renew(self, copy: &File) -> io::Result<()> {
        let end = copy.metadata()?.len().next_multiple_of(8);
        let kind = u64::from(ELFCOMPRESS_ZLIB.0);
        let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let head: Vec<u8> = words(&[kind, self.plain, 1]);
        copy.write_all_at(&head, end)?;
        let mut to = end + head.len() as u64;
        each_piece_from(copy, self.offset, self.size, |piece| {
            copy.write_all_at(piece, to)?;
            to += piece.len() as u64;
            Ok(())
        })?;
        // `.debug_info` is all but the first letter of `.zdebug_info`, if that is a dot.
        let (name, number) = self.name;
        copy.write_all_at(b".", name + 1)?;
        copy.write_all_at(&(number + 1).to_le_bytes(), self.header)?;
        let flags: Vec<u8> = words(&[self.flags | SHF_COMPRESSED.0]);
        copy.write_all_at(&flags, self.header + 8)?;
        let place: Vec<u8> = words(&[end, to - end]);
        copy.write_all_at(&place, self.header + 24)?;
        let alignment: Vec<u8> = words(&[8]);
        copy.write_all_at(&alignment, self.header + 48)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_no_old_section_stays_as_it_is() {
        let own = File::open("/proc/self/exe").unwrap();
        assert_eq!(sections(&own), Some(Vec::new()));
        let mut text = tempfile::tempfile().unwrap();
        text.write_all(b"no program").unwrap();
        renew(&text).unwrap();
        assert_eq!(text.metadata().unwrap().len(), 10);
    }
}
