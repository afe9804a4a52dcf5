//! What the kernel's own type information (`/sys/kernel/btf/vmlinux`) says of a
//! few types: where a field of a structure is, and which number a type has.
//!
//! The reader knows only this part of the format (`Documentation/bpf/btf.rst`). A
//! handful of more than 100,000 types matters, so it goes through the records one after
//! the other and makes no table of them. Every access is bounds-checked: the file may
//! be from another system.

/// Size of `struct btf_header`, the smallest that is valid.
const HEADER: usize = 24;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_TYPEDEF: u32 = 8;
/// In how many anonymous members a field is looked for. The kernel's structures
/// have a few; each costs a walk through the records.
const MOST_ANONYMOUS: usize = 64;

/// Type information.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
}

/// A structure that was found.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) struct Structure<'a> {
    btf: Btf<'a>,
    record: &'a [u8],
}

impl<'a> Btf<'a> {
    /// The contents of a BTF file; `None` where it is none.
    pub(in crate::kernel) fn parse(data: &'a [u8]) -> Option<Self> {
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
        Some(Self {
            types: section(8, 12)?,
            strings: section(16, 20)?,
        })
    }

    /// The structures and the numbers of the `typedef`s with these names, in the
    /// order of the names: the first of each name, `None` where there is none.
    pub(in crate::kernel) fn find<const S: usize, const T: usize>(
        self,
        structures: [&str; S],
        typedefs: [&str; T],
    ) -> ([Option<Structure<'a>>; S], [Option<u32>; T]) {
        let mut found = ([None; S], [None; T]);
        let mut missing = S + T;
        for (id, record) in self.records() {
            if missing == 0 {
                break;
            }
            match kind(record) {
                Some(KIND_STRUCT) => {
                    if let Some(place) = self.position(record, &structures)
                        && found.0[place].is_none()
                    {
                        found.0[place] = Some(Structure { btf: self, record });
                        missing -= 1;
                    }
                }
                Some(KIND_TYPEDEF) => {
                    if let Some(place) = self.position(record, &typedefs)
                        && found.1[place].is_none()
                    {
                        found.1[place] = Some(id);
                        missing -= 1;
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// All types with their numbers; 0 is `void` and has no record. Ends at a
    /// kind that is not known, after which nothing can be found.
    fn records(self) -> impl Iterator<Item = (u32, &'a [u8])> {
        let mut rest = self.types;
        (1..=u32::MAX).map_while(move |id| {
            let size = record_size(u32_at(rest, 4)?)?;
            let (record, others) = rest.split_at_checked(size)?;
            rest = others;
            Some((id, record))
        })
    }

    /// Which of `names` the type has.
    fn position(self, record: &[u8], names: &[&str]) -> Option<usize> {
        let name = self.strings.get(u32_at(record, 0)? as usize..)?;
        names.iter().position(|wanted| is_named(name, wanted))
    }
}

/// Whether the string that begins at `name` is `wanted`.
fn is_named(name: &[u8], wanted: &str) -> bool {
    let rest = name.strip_prefix(wanted.as_bytes());
    rest.is_some_and(|rest| rest.first() == Some(&0))
}

impl Structure<'_> {
    /// The byte offset of `field`, found through anonymous members too; `None`
    /// where there is none, or it is a bit field.
    pub(in crate::kernel) fn offset(&self, field: &str) -> Option<u32> {
        let bits = self.find(field)?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }

    /// The bit offset of a member.
    fn find(&self, field: &str) -> Option<u32> {
        let mut anonymous = vec![(self.record, 0_u32)];
        let mut next = 0;
        while let Some(&(record, base)) = anonymous.get(next) {
            next += 1;
            let info = u32_at(record, 4)?;
            for member in record.get(12..)?.chunks_exact(12) {
                let (name, kind) = (u32_at(member, 0)?, u32_at(member, 4)?);
                let place = u32_at(member, 8)?;
                // With the kind flag, the upper byte is the size of a bit field.
                let bits = if info >> 31 == 0 {
                    place
                } else {
                    place & 0xff_ffff
                };
                let bits = base.checked_add(bits)?;
                let text = self.btf.strings.get(name as usize..)?;
                if name != 0 && is_named(text, field) {
                    return Some(bits);
                }
                // A type that contains itself, which no compiler makes, but a file
                // can say, ends here, too.
                if name == 0 && anonymous.len() <= MOST_ANONYMOUS {
                    anonymous.extend(self.members_of(kind).map(|inner| (inner, bits)));
                }
            }
        }
        None
    }

    /// The record of the structure or union with this number.
    fn members_of(&self, number: u32) -> Option<&[u8]> {
        let (_, record) = self.btf.records().find(|&(id, _)| id == number)?;
        matches!(kind(record), Some(KIND_STRUCT | KIND_UNION)).then_some(record)
    }
}

fn kind(record: &[u8]) -> Option<u32> {
    Some(u32_at(record, 4)? >> 24 & 0x1f)
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
    /// and `typedef struct s u`
    fn example() -> Vec<u8> {
        let strings = b"\0s\0a\0b\0c\0d\0e\0u\0int\0";
        let words: Vec<u32> = [
            vec![15, 1 << 24, 4, 32],                   // 1: int
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
            vec![13, 8 << 24, 4],                       // 5: u
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
        let ([s, t], [u, none]) = Btf::parse(&data).unwrap().find(["s", "t"], ["u", "s"]);
        let s = s.unwrap();
        assert_eq!(s.offset("a"), Some(0));
        assert_eq!(s.offset("b"), Some(4));
        assert_eq!(s.offset("c"), Some(8));
        assert_eq!(s.offset("d"), Some(8));
        assert_eq!(s.offset("e"), None, "a bit field has no byte offset");
        assert_eq!(s.offset("f"), None);
        assert!(t.is_none());
        assert_eq!((u, none), (Some(5), None));
    }

    #[test]
    fn a_type_that_contains_itself_ends() {
        let mut data = example();
        // The anonymous union's first member becomes an anonymous type 2.
        let member = HEADER + 16 + 12;
        data[member..member + 8].copy_from_slice(&[0, 0, 0, 0, 2, 0, 0, 0]);
        let (structures, []) = Btf::parse(&data).unwrap().find(["s"], []);
        assert_eq!(structures[0].unwrap().offset("zzz"), None);
    }

    /// What another reader says of this kernel's types.
    #[test]
    fn aya_finds_the_same_numbers() {
        let Ok(data) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            return crate::skip::absent("this kernel has no BTF");
        };
        let names = ["btf_trace_sched_switch", "u32", "btf_trace_task_newtask"];
        let ([task], found) = Btf::parse(&data).unwrap().find(["task_struct"], names);
        let other = aya::Btf::parse(&data, aya::Endianness::default()).unwrap();
        let kind = aya_obj::btf::BtfKind::Typedef;
        let expected = names.map(|name| other.id_by_type_name_kind(name, kind).ok());
        assert_eq!(found, expected);
        assert!(found[0].is_some());
        // Declared one after the other (include/linux/sched.h).
        let pid = task.unwrap().offset("pid").unwrap();
        assert_eq!(task.unwrap().offset("tgid"), Some(pid + 4));
    }

    /// `bpftool btf dump` of this kernel says where the fields are.
    #[test]
    fn bpftool_finds_the_same_offsets() {
        let path = "/sys/kernel/btf/vmlinux";
        let mut bpftool = std::process::Command::new("bpftool");
        let Ok(dump) = bpftool.args(["btf", "dump", "file", path]).output() else {
            return crate::skip::skip("there is no bpftool (Debian: bpftool)");
        };
        let Ok(data) = std::fs::read(path) else {
            return crate::skip::absent("this kernel has no BTF");
        };
        let text = String::from_utf8_lossy(&dump.stdout);
        let (structures, []) = Btf::parse(&data).unwrap().find(["task_struct", "pid"], []);
        for (name, structure) in ["task_struct", "pid"].into_iter().zip(structures) {
            let line = format!("STRUCT '{name}' ");
            let mut lines = text.lines().skip_while(|text| !text.contains(&line));
            assert!(lines.next().is_some(), "{name}");
            let mut seen = 0;
            for member in lines.take_while(|line| line.starts_with('\t')) {
                let field = member.split('\'').nth(1);
                let bits = member.split("bits_offset=").nth(1);
                let bits = bits.and_then(|rest| rest.split(' ').next()).unwrap();
                let bits: u32 = bits.parse().unwrap();
                if let Some(field) =
                    field.filter(|field| *field != "(anon)" && !member.contains("bitfield_size"))
                {
                    assert_eq!(structure.unwrap().offset(field), Some(bits / 8), "{field}");
                    seen += 1;
                }
            }
            assert!(seen > 5, "{name}: {seen}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            mut noise: Vec<u8>, at in 0usize..200, value: u8, cut in 0usize..200,
        ) {
            let look = |data: &[u8]| {
                if let Some(btf) = Btf::parse(data) {
                    let (structures, _) = btf.find(["s", ""], ["u", "int"]);
                    for structure in structures.iter().flatten() {
                        structure.offset("c");
                        structure.offset("none");
                    }
                }
            };
            look(&noise);
            noise.splice(0..0, example());
            if let Some(byte) = noise.get_mut(at) {
                *byte = value;
            }
            look(&noise);
            noise.truncate(cut);
            look(&noise);
        }
    }
}
