//! Where a field of a kernel structure is, from the kernel's own type
//! information (`/sys/kernel/btf/vmlinux`).
//!
//! Only what that takes of the format in `Documentation/bpf/btf.rst`. Every
//! access is bounds-checked: the file may be from another system.

use std::collections::HashSet;

/// Size of `struct btf_header`, the smallest that is valid.
const HEADER: usize = 24;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;

/// Parsed type information.
#[derive(Debug)]
pub(super) struct Btf<'a> {
    strings: &'a [u8],
    /// The record of each type, by id; id 0 is `void`.
    types: Vec<&'a [u8]>,
}

impl<'a> Btf<'a> {
    /// Parses the contents of a BTF file; `None` where it is none.
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        if data.get(..2)? != 0xeb9f_u16.to_ne_bytes() {
            return None;
        }
        let header = usize::try_from(u32_at(data, 4)?).ok()?;
        if header < HEADER {
            return None;
        }
        let section = |offset: usize, length: usize| -> Option<&'a [u8]> {
            let begin = header.checked_add(usize::try_from(u32_at(data, offset)?).ok()?)?;
            let end = begin.checked_add(usize::try_from(u32_at(data, length)?).ok()?)?;
            data.get(begin..end)
        };
        let mut rest = section(8, 12)?;
        let strings = section(16, 20)?;
        let mut types: Vec<&[u8]> = vec![&[]];
        while !rest.is_empty() {
            let size = record_size(u32_at(rest, 4)?)?;
            let (record, others) = rest.split_at_checked(size)?;
            types.push(record);
            rest = others;
        }
        Some(Self { strings, types })
    }

    /// The byte offset of `field` in `structure`, found through anonymous
    /// members too; `None` where there is none, or it is a bit field.
    pub(super) fn offset(&self, structure: &str, field: &str) -> Option<u32> {
        let id = (1..self.types.len()).find(|&id| {
            self.kind(id) == Some(KIND_STRUCT)
                && self
                    .types
                    .get(id)
                    .and_then(|record| u32_at(record, 0))
                    .and_then(|name| self.name(name))
                    == Some(structure.as_bytes())
        })?;
        let bits = self.find(id, field.as_bytes(), &mut HashSet::new())?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }

    fn name(&self, offset: u32) -> Option<&'a [u8]> {
        let from = self.strings.get(usize::try_from(offset).ok()?..)?;
        from.split(|byte| *byte == 0).next()
    }

    fn kind(&self, id: usize) -> Option<u32> {
        Some(u32_at(self.types.get(id)?, 4)? >> 24 & 0x1f)
    }

    /// The bit offset of a member. `seen` ends the search in types that
    /// contain themselves, which no compiler makes, but a file can say.
    fn find(&self, id: usize, field: &[u8], seen: &mut HashSet<usize>) -> Option<u32> {
        if !seen.insert(id) {
            return None;
        }
        let record = self.types.get(id)?;
        let info = u32_at(record, 4)?;
        for member in record.get(12..)?.chunks_exact(12) {
            let (name, kind, place) = (u32_at(member, 0)?, u32_at(member, 4)?, u32_at(member, 8)?);
            // With the kind flag, the upper byte is the size of a bit field.
            let bits = if info >> 31 == 0 {
                place
            } else {
                place & 0xff_ffff
            };
            if name != 0 && self.name(name) == Some(field) {
                return Some(bits);
            }
            let inner = usize::try_from(kind).ok()?;
            if name == 0
                && matches!(self.kind(inner), Some(KIND_STRUCT | KIND_UNION))
                && let Some(within) = self.find(inner, field, seen)
            {
                return bits.checked_add(within);
            }
        }
        None
    }
}

fn u32_at(data: &[u8], offset: usize) -> Option<u32> {
    let bytes = data.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// The size of a type's record, from its `info` word; `None` for a kind that
/// is not known, after which nothing can be found.
fn record_size(info: u32) -> Option<usize> {
    let members = (info & 0xffff) as usize;
    let extra = match info >> 24 & 0x1f {
        // int, variable, declaration tag
        1 | 14 | 17 => 4,
        // array
        3 => 12,
        // struct, union, data section, 64-bit enum
        4 | 5 | 15 | 19 => 12 * members,
        // enum, function prototype
        6 | 13 => 8 * members,
        // pointer, forward, typedef, qualifiers, function, float, type tag
        2 | 7..=12 | 16 | 18 => 0,
        _ => return None,
    };
    Some(12 + extra)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `struct s { int a; struct { int b; union { int c; int d; }; }; int e : 3; }`
    fn example() -> Vec<u8> {
        let strings = b"\0s\0a\0b\0c\0d\0e\0int\0";
        let words: Vec<u32> = [
            vec![13, 1 << 24, 4, 32],                   // 1: int
            vec![0, 5 << 24 | 2, 4, 7, 1, 0, 9, 1, 0],  // 2: union
            vec![0, 4 << 24 | 2, 8, 5, 1, 0, 0, 2, 32], // 3: struct
            vec![
                1,
                1 << 31 | 4 << 24 | 3,
                16,
                3,
                1,
                0,
                0,
                3,
                32,
                11,
                1,
                3 << 24 | 97,
            ], // 4: s
        ]
        .concat();
        let types: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut data = 0xeb9f_u16.to_ne_bytes().to_vec();
        data.extend([1, 0]);
        for word in [
            24,
            0,
            types.len() as u32,
            types.len() as u32,
            strings.len() as u32,
        ] {
            data.extend(word.to_ne_bytes());
        }
        data.extend(types);
        data.extend(strings);
        data
    }

    #[test]
    fn fields_are_found_through_anonymous_members() {
        let data = example();
        let btf = Btf::parse(&data).unwrap();
        assert_eq!(btf.offset("s", "a"), Some(0));
        assert_eq!(btf.offset("s", "b"), Some(4));
        assert_eq!(btf.offset("s", "c"), Some(8));
        assert_eq!(btf.offset("s", "d"), Some(8));
        assert_eq!(btf.offset("s", "e"), None, "a bit field has no byte offset");
        assert_eq!(btf.offset("s", "f"), None);
        assert_eq!(btf.offset("t", "a"), None);
    }

    #[test]
    fn a_type_that_contains_itself_ends() {
        let mut data = example();
        // The anonymous union's first member becomes an anonymous type 2.
        let member = HEADER + 16 + 12;
        data[member..member + 8].copy_from_slice(&[0, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(Btf::parse(&data).unwrap().offset("s", "zzz"), None);
    }

    #[test]
    fn this_kernel_has_a_task_with_an_id() {
        let Ok(data) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            eprintln!("SKIPPED: this kernel has no BTF");
            return;
        };
        let btf = Btf::parse(&data).unwrap();
        let pid = btf.offset("task_struct", "pid").unwrap();
        assert_eq!(btf.offset("task_struct", "tgid"), Some(pid + 4));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut noise: Vec<u8>, at in 0usize..200, byte: u8) {
            if let Some(btf) = Btf::parse(&noise) {
                btf.offset("s", "a");
            }
            noise.splice(0..0, example());
            if at < noise.len() {
                noise[at] = byte;
            }
            if let Some(btf) = Btf::parse(&noise) {
                btf.offset("s", "c");
            }
        }
    }
}
