//! A file of the kernel as memory.
#![expect(unsafe_code, reason = "memory that belongs to the kernel")]

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::ptr::NonNull;

/// The contents of a file below `/sys`, which never change: mapped where the
/// kernel allows it, so that nothing is copied (type information since Linux 6.16,
/// kernel/bpf/sysfs_btf.c), else read.
#[derive(Debug)]
pub(in crate::kernel) struct ReadOnly(Contents);

#[derive(Debug)]
enum Contents {
    Mapped(NonNull<u8>, usize),
    Read(Vec<u8>),
}

impl ReadOnly {
    /// The contents of the file at `path`.
    pub(in crate::kernel) fn of(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        if let Some(base) = map(&file, length) {
            return Ok(Self(Contents::Mapped(base, length)));
        }
        fs::read(path).map(|bytes| Self(Contents::Read(bytes)))
    }

    /// The contents.
    pub(in crate::kernel) fn bytes(&self) -> &[u8] {
        match &self.0 {
            // SAFETY: mapped for reading, with this length, for as long as this
            // value lives; the kernel does not change what it tells of its types.
            Contents::Mapped(base, length) => unsafe {
                std::slice::from_raw_parts(base.as_ptr(), *length)
            },
            Contents::Read(bytes) => bytes,
        }
    }
}

fn map(file: &File, length: usize) -> Option<NonNull<u8>> {
    // SAFETY: a fresh mapping at an address of the kernel's choice.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            libc::PROT_READ,
            libc::MAP_PRIVATE,
            file.as_raw_fd(),
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return None;
    }
    NonNull::new(base.cast())
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        if let Contents::Mapped(base, length) = self.0 {
            // SAFETY: unmaps exactly what was mapped.
            unsafe { libc::munmap(base.as_ptr().cast(), length) };
        }
    }
}
