//! Arrays that both sides see as memory (`BPF_F_MMAPABLE`): no system call to
//! read or write them. (A map system call would also suspend all sampling
//! programs on its CPU for as long as it takes, preemption included.)
#![expect(unsafe_code, reason = "memory shared with the kernel programs")]

use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// A mapped array of `T`. Fields are reached by offset, as atomics, because
/// the kernel programs change them at any time.
pub(in crate::kernel) struct Shared<T> {
    base: NonNull<u8>,
    bytes: usize,
    len: usize,
    of: PhantomData<T>,
}

// SAFETY: the mapping belongs to this value, and all access to it is atomic.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Maps the array `fd` with `len` elements. The kernel lays elements out
    /// at multiples of their size rounded up to eight bytes.
    pub(in crate::kernel) fn map(fd: BorrowedFd<'_>, len: usize) -> std::io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() >= 8) };
        let bytes = len * size_of::<T>();
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast())
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidData))?;
        Ok(Self {
            base,
            bytes,
            len,
            of: PhantomData,
        })
    }

    /// The number of elements.
    pub(in crate::kernel) fn len(&self) -> usize {
        self.len
    }

    /// The eight bytes at `offset` in element `index`.
    ///
    /// # Panics
    /// Where there is no such element or field; offsets come from
    /// `offset_of!`, indices were checked when they came from outside.
    pub(in crate::kernel) fn u64(&self, index: usize, offset: usize) -> &AtomicU64 {
        assert!(index < self.len && offset.is_multiple_of(8) && offset + 8 <= size_of::<T>());
        // SAFETY: in bounds and aligned by the assertion; the mapping lives as
        // long as the reference.
        unsafe {
            AtomicU64::from_ptr(
                self.base
                    .as_ptr()
                    .add(index * size_of::<T>() + offset)
                    .cast(),
            )
        }
    }

    /// The four bytes at `offset` in element `index`. Panics as [`Self::u64`].
    pub(in crate::kernel) fn u32(&self, index: usize, offset: usize) -> &AtomicU32 {
        assert!(index < self.len && offset.is_multiple_of(4) && offset + 4 <= size_of::<T>());
        // SAFETY: as above.
        unsafe {
            AtomicU32::from_ptr(
                self.base
                    .as_ptr()
                    .add(index * size_of::<T>() + offset)
                    .cast(),
            )
        }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what `map` mapped.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}
