//! The links of an ELF file to other files with debug information, and how they are
//! cut: whoever reads the file afterwards opens nothing by itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use object::elf::{FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader as _};
use object::{Endianness, FileKind, ReadCache};

use super::message::Depth;
use crate::mappings::identity::{self, Pieces};

/// The longest section that is a link, in bytes.
const LONGEST: u64 = 64 << 10;

/// The most links of one file.
const MOST: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `.gnu_debuglink`: a name and a checksum.
    Debug,
    /// `.gnu_debugaltlink`: a path and a build id.
    Supplement,
    /// `.debug_sup` of DWARF 5: the same in another form, which nobody writes.
    Other,
    /// `.gnu_debugdata`: another ELF file inside, compressed.
    Inner,
}

/// A section that is a link.
#[derive(Clone, Debug)]
struct Link {
    kind: Kind,
    content: Vec<u8>,
    /// Where the content is in the file.
    at: u64,
    /// Where the section's header is in the file.
    header: u64,
    /// How its fields for the name and the size are to be written.
    little: bool,
    wide: bool,
    /// A name in the table of names that is empty.
    nameless: u32,
}

/// The links of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    links: Vec<Link>,
    /// Whether the file has sections that cannot be read: it was cut short.
    pub(super) broken: bool,
}

impl Links {
    /// Those of `file`; of something else there are none.
    pub(super) fn of(file: &File) -> Self {
        let cache = ReadCache::new(file);
        let data = Pieces(&cache);
        let found = match FileKind::parse(data) {
            Ok(FileKind::Elf64) => links::<FileHeader64<Endianness>>(data, true),
            Ok(FileKind::Elf32) => links::<FileHeader32<Endianness>>(data, false),
            _ => None,
        };
        found.unwrap_or_default()
    }

    /// Whether none leads to another file.
    pub(super) fn is_empty(&self) -> bool {
        self.links.iter().all(|link| link.kind == Kind::Inner)
    }

    /// The name of the file with debug information, and its checksum. No path: it is
    /// looked for in certain places only.
    pub(super) fn debug(&self) -> Option<(&str, u32)> {
        let link = self.links.iter().find(|link| link.kind == Kind::Debug)?;
        let end = link.content.iter().position(|&byte| byte == 0)?;
        let name = str::from_utf8(link.content.get(..end)?).ok()?;
        let sum = link.content.get((end + 1).next_multiple_of(4)..)?;
        let sum = *sum.first_chunk()?;
        let sum = if link.little {
            u32::from_le_bytes(sum)
        } else {
            u32::from_be_bytes(sum)
        };
        let plain = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
        plain.then_some((name, sum))
    }

    /// The path of the file that has what this one shares with others (by dwz), and
    /// its build id.
    pub(super) fn supplement(&self) -> Option<(&str, &[u8])> {
        let link = self
            .links
            .iter()
            .find(|link| link.kind == Kind::Supplement)?;
        let end = link.content.iter().position(|&byte| byte == 0)?;
        let (path, id) = link.content.split_at_checked(end)?;
        let path = str::from_utf8(path).ok()?;
        let id = id.get(1..)?;
        (!path.is_empty() && !id.is_empty()).then_some((path, id))
    }

    /// Whether debug information cannot be read without another file.
    pub(super) fn needs_other(&self) -> bool {
        let needed = |kind| matches!(kind, Kind::Supplement | Kind::Other);
        self.links.iter().any(|link| needed(link.kind))
    }

    /// Cuts them in `copy`, a copy of the file. With `supplement`, the link to that
    /// file leads there instead. A file inside is left, unless only the symbol table is
    /// to be read.
    ///
    /// # Errors
    ///
    /// Where the copy cannot be written.
    pub(super) fn cut(
        &self,
        copy: &File,
        depth: Depth,
        mut supplement: Option<&str>,
    ) -> io::Result<()> {
        for link in &self.links {
            if link.kind == Kind::Inner && depth == Depth::Everything {
                continue;
            }
            let led = match (link.kind, self.supplement(), supplement) {
                (Kind::Supplement, Some((path, id)), Some(to)) if to.len() <= path.len() => {
                    supplement = None;
                    let content = [to.as_bytes(), &[0], id].concat();
                    copy.write_all_at(&content, link.at)?;
                    link.set_size(copy, content.len())?;
                    true
                }
                _ => false,
            };
            if !led {
                // Nobody looks for a section without a name.
                copy.write_all_at(&link.number(link.nameless), link.header)?;
            }
        }
        Ok(())
    }
}

/// The GNU build id of `file` by its sections: a file without code has no segments.
pub(super) fn section_id(file: &File) -> Option<Vec<u8>> {
    let cache = ReadCache::new(file);
    let data = Pieces(&cache);
    match FileKind::parse(data) {
        Ok(FileKind::Elf64) => noted::<FileHeader64<Endianness>>(data),
        Ok(FileKind::Elf32) => noted::<FileHeader32<Endianness>>(data),
        _ => None,
    }
}

fn noted<H>(data: Pieces<'_, &File>) -> Option<Vec<u8>>
where
    H: FileHeader<Endian = Endianness>,
{
    let header = H::parse(data).ok()?;
    let endian = header.endian().ok()?;
    for section in header.sections(endian, data).ok()?.iter() {
        if let Ok(Some(notes)) = section.notes(endian, data)
            && let Some(id) = identity::noted(notes, endian)
        {
            return Some(id);
        }
    }
    None
}

impl Link {
    fn number(&self, number: u32) -> [u8; 4] {
        if self.little {
            number.to_le_bytes()
        } else {
            number.to_be_bytes()
        }
    }

    /// Writes `sh_size` (`Elf64_Shdr` and `Elf32_Shdr` of elf.h).
    fn set_size(&self, copy: &File, size: usize) -> io::Result<()> {
        let short = self.number(u32::try_from(size).map_err(io::Error::other)?);
        if !self.wide {
            return copy.write_all_at(&short, self.header + 20);
        }
        let zero = [0; 4];
        let halves = if self.little {
            [short, zero]
        } else {
            [zero, short]
        };
        copy.write_all_at(&halves.concat(), self.header + 32)
    }
}

fn links<H>(data: Pieces<'_, &File>, wide: bool) -> Option<Links>
where
    H: FileHeader<Endian = Endianness>,
{
    let header = H::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let first: u64 = header.e_shoff(endian).into();
    let Ok(sections) = header.sections(endian, data) else {
        return Some(Links {
            links: Vec::new(),
            broken: first != 0,
        });
    };
    let each = u64::try_from(size_of::<H::SectionHeader>()).ok()?;
    let mut found = Vec::new();
    for (section, place) in sections.iter().zip(0..) {
        let Ok(name) = sections.section_name(endian, section) else {
            continue;
        };
        let kind = match name {
            b".gnu_debuglink" => Kind::Debug,
            b".gnu_debugaltlink" => Kind::Supplement,
            b".debug_sup" => Kind::Other,
            b".gnu_debugdata" => Kind::Inner,
            _ => continue,
        };
        let at = section.sh_offset(endian).into();
        let size: u64 = section.sh_size(endian).into();
        let content = (size <= LONGEST)
            .then(|| section.data(endian, data).ok())
            .flatten();
        let length = u32::try_from(name.len()).ok()?;
        found.push(Link {
            kind,
            content: content.unwrap_or_default().to_vec(),
            at,
            header: first.checked_add(each.checked_mul(place)?)?,
            little: endian == Endianness::Little,
            wide,
            nameless: section.sh_name(endian).checked_add(length)?,
        });
        if found.len() == MOST {
            break;
        }
    }
    Some(Links {
        links: found,
        broken: false,
    })
}
