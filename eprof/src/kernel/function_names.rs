//! Names of the kernel's functions, by its own search. A run has few addresses, but the
//! text of `/proc/kallsyms` has more than 100,000 lines, which the kernel writes anew
//! for each reader.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

use aya_obj::generated::bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT;

use super::accounts::shared::Shared;
use super::bpf::{self, ARRAY, Code, INSTRUCTION, MMAPABLE, MapShape};

/// Words of a name: of a function and its module, with what stands between them
/// (`KSYM_SYMBOL_LEN` of include/linux/kallsyms.h is less).
const WORDS: usize = 80;
/// `BPF_F_RDONLY_PROG`.
const READ_ONLY: u32 = 1 << 7;
/// What `bpf_snprintf` is asked for: the function that an address lies in,
/// without the offset in it (Documentation/core-api/printk-formats.rst).
const FORMAT: [u8; 8] = *b"%ps\0\0\0\0\0";

/// The kernel's search for the name of a function. Needs Linux 5.13, CAP_BPF and
/// CAP_PERFMON.
pub struct KernelNames {
    program: OwnedFd,
    name: Shared<[u64; WORDS]>,
}

impl KernelNames {
    /// Loads the program that asks the kernel.
    ///
    /// # Errors
    /// Where the kernel does not allow it, or is older.
    pub fn load() -> io::Result<Self> {
        let array = MapShape {
            map_type: ARRAY,
            key_size: 4,
            entries: 1,
            ..MapShape::default()
        };
        let format = bpf::create_filled(
            "FORMAT",
            &MapShape {
                value_size: size_of_val(&FORMAT) as u32,
                flags: READ_ONLY,
                ..array
            },
            &FORMAT,
        )?;
        bpf::freeze(format.as_fd())?;
        let name = bpf::create_map(
            "NAME",
            &MapShape {
                value_size: (WORDS * 8) as u32,
                flags: MMAPABLE,
                ..array
            },
        )?;
        let program = bpf::load_program(&Code {
            name: "name",
            program_type: BPF_PROG_TYPE_RAW_TRACEPOINT as u32,
            attach_type: 0,
            attach_type_id: 0,
            instructions: instructions(format.as_fd(), name.as_fd()).as_flattened(),
            license: c"Dual MIT/GPL",
            debug: None,
        })?;
        Ok(Self {
            program,
            name: Shared::map(name.as_fd(), 1)?,
        })
    }

    /// The name of the function that `address` lies in; `None` where the kernel
    /// knows none.
    ///
    /// # Errors
    /// Where the kernel does not run the program.
    pub fn of(&self, address: u64) -> io::Result<Option<String>> {
        bpf::run(self.program.as_fd(), &[address], None)?;
        let words = (0..WORDS).map(|word| self.name.u64(0, word * 8).load(Relaxed));
        let bytes: Vec<u8> = words.flat_map(u64::to_ne_bytes).collect();
        Ok(name(&bytes))
    }
}

/// The name in what the kernel wrote: `function`, or `function [module]`, or a
/// number where it knows none.
fn name(bytes: &[u8]) -> Option<String> {
    let text = bytes.split(|byte| *byte == 0).next()?;
    let name = text.split(|byte| *byte == b' ').next()?;
    let known = !name.is_empty() && !name.starts_with(b"0x");
    known.then(|| String::from_utf8_lossy(name).into_owned())
}

/// `snprintf(NAME, sizeof(NAME), FORMAT, &argument, 8)`, where the argument is the
/// tracepoint's first (Documentation/bpf/standardization/instruction-set.rst).
fn instructions(format: BorrowedFd<'_>, name: BorrowedFd<'_>) -> [[u8; INSTRUCTION]; 12] {
    /// `BPF_FUNC_snprintf`.
    const SNPRINTF: i32 = 165;
    /// `BPF_PSEUDO_MAP_VALUE`: the constant is the first value of a map.
    const VALUE: u8 = 2;
    const STACK: u8 = 10;
    let encode = bpf::instruction;
    [
        // r2 = *(r1 + 0); *(r10 - 8) = r2
        encode(0x79, 2, 1, 0, 0),
        encode(0x7b, STACK, 2, -8, 0),
        // r1 = NAME; r2 = sizeof(NAME); r3 = FORMAT
        encode(0x18, 1, VALUE, 0, name.as_raw_fd()),
        encode(0, 0, 0, 0, 0),
        encode(0xb7, 2, 0, 0, (WORDS * 8) as i32),
        encode(0x18, 3, VALUE, 0, format.as_raw_fd()),
        encode(0, 0, 0, 0, 0),
        // r4 = r10 - 8; r5 = 8
        encode(0xbf, 4, STACK, 0, 0),
        encode(0x07, 4, 0, 0, -8),
        encode(0xb7, 5, 0, 0, 8),
        encode(0x85, 0, 0, 0, SNPRINTF),
        // return r0
        encode(0x95, 0, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_a_name_or_none() {
        assert_eq!(name(b"vfs_read\0\0").as_deref(), Some("vfs_read"));
        assert_eq!(name(b"open [ext4]\0").as_deref(), Some("open"));
        assert_eq!(name(b"0xffff800000000000\0"), None);
        assert_eq!(name(b"\0"), None);
        assert_eq!(name(b""), None);
        assert_eq!(name(b"unfinished").as_deref(), Some("unfinished"));
    }
}
