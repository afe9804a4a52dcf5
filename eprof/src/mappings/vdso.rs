//! What only the running kernel can tell: its symbols, and its code page in
//! user space.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::host::elevation;

/// The largest code page that is believed, in bytes; it has two to four pages.
const LARGEST_VDSO: u64 = 1 << 20;

/// How many symbols are looked at to tell whether addresses are hidden.
const SAMPLE: usize = 64;

/// Whether `/proc/kallsyms` shows no addresses (`kernel.kptr_restrict`) or
/// cannot be read.
pub(crate) fn kernel_is_hidden() -> bool {
    let table = Path::new("/proc/kallsyms");
    let Ok(file) = elevation::open(table, elevation::ADDRESSES) else {
        return true;
    };
    BufReader::new(file)
        .lines()
        .take(SAMPLE)
        .map_while(Result::ok)
        .all(|line| {
            line.split(' ')
                .next()
                .is_some_and(|address| address.bytes().all(|digit| digit == b'0'))
        })
}

/// The addresses of the vDSO in this process.
fn vdso_range() -> Option<(u64, u64)> {
    let maps = BufReader::new(File::open("/proc/self/maps").ok()?);
    let line = maps
        .lines()
        .map_while(Result::ok)
        .find(|line| line.ends_with("[vdso]"))?;
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    Some((
        u64::from_str_radix(start, 16).ok()?,
        u64::from_str_radix(end, 16).ok()?,
    ))
}

/// The length in bytes of the vDSO in this process.
pub(crate) fn vdso_length() -> Option<u64> {
    vdso_range().map(|(start, end)| end.saturating_sub(start))
}

/// A copy of the vDSO in a file: the kernel maps the same ELF image into every
/// process of the same kind.
pub(crate) fn vdso() -> Option<File> {
    let (start, end) = vdso_range()?;
    let length = end.checked_sub(start).filter(|&n| n <= LARGEST_VDSO)?;
    let mut image = vec![0; usize::try_from(length).ok()?];
    let memory = elevation::open(Path::new("/proc/self/mem"), elevation::READ).ok()?;
    memory.read_exact_at(&mut image, start).ok()?;
    let mut copy = File::from(memfd_create("vdso", MFdFlags::MFD_CLOEXEC).ok()?);
    copy.write_all(&image).ok()?;
    Some(copy)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_copy_of_the_vdso_is_an_elf_file_of_its_length() {
        // A kernel may be built or started without.
        if let Some(length) = vdso_length() {
            let copy = vdso().unwrap();
            let mut magic = [0; 4];
            copy.read_exact_at(&mut magic, 0).unwrap();
            assert_eq!(&magic, b"\x7fELF");
            assert_eq!(copy.metadata().unwrap().len(), length);
        }
    }
}
