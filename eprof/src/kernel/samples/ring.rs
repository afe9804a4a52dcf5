//! The ring of samples (`BPF_MAP_TYPE_RINGBUF`), as its reader sees it: a page with
//! the reader's position, a page with the writers' position, and the data
//! (kernel/bpf/ringbuf.c). The kernel would map the data twice, one after the other, so
//! that no record has a gap. Here it is mapped once, so that it counts once as memory of
//! eprof's, and records are copied out.
#![expect(unsafe_code, reason = "memory shared with the kernel programs")]

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicU32, AtomicUsize};

use nix::unistd::{SysconfVar, sysconf};

/// `BPF_RINGBUF_BUSY_BIT`: the record is still being written.
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`: there is no record.
const DISCARDED: u32 = 1 << 30;
/// `BPF_RINGBUF_HDR_SZ`: length and flags, and something that is the kernel's.
const HEADER: usize = 8;

/// The reader's side of a ring.
pub(in crate::kernel) struct Ring {
    map: OwnedFd,
    reader: Mapping,
    writer: Mapping,
    page: usize,
    /// Bytes of the data; a power of two.
    size: usize,
    /// How far it has been read.
    position: usize,
    /// The record that was read last.
    record: Vec<u8>,
}

impl Ring {
    /// The ring `map` with `size` bytes of data, a power of two.
    pub(in crate::kernel) fn of(map: BorrowedFd<'_>, size: usize) -> io::Result<Self> {
        let page = page_size()?;
        let reader = Mapping::new(map, libc::PROT_READ | libc::PROT_WRITE, page, 0)?;
        let writer = Mapping::new(map, libc::PROT_READ, page + size, page)?;
        let position = reader.word(0).load(Acquire);
        Ok(Self {
            map: map.try_clone_to_owned()?,
            reader,
            writer,
            page,
            size,
            position,
            record: Vec::new(),
        })
    }

    /// The descriptor of the map.
    pub(in crate::kernel) fn fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }

    /// The next record, if there is one.
    pub(in crate::kernel) fn next(&mut self) -> Option<&[u8]> {
        loop {
            if self.position == self.writer.word(0).load(Acquire) {
                return None;
            }
            let header = self.writer.half(self.place(self.position)).load(Acquire);
            if header & BUSY != 0 {
                return None;
            }
            let length = (header & !DISCARDED) as usize;
            let whole = length.next_multiple_of(8);
            let kept = header & DISCARDED == 0;
            if kept {
                self.take(self.position.wrapping_add(HEADER), whole);
            }
            self.position = self.position.wrapping_add(HEADER + whole);
            self.reader.word(0).store(self.position, Release);
            if kept {
                return self.record.get(..length);
            }
        }
    }

    /// Where in the mapping a position lies.
    fn place(&self, position: usize) -> usize {
        self.page + (position & (self.size - 1))
    }

    /// Copies `length` bytes from `position` on.
    fn take(&mut self, position: usize, length: usize) {
        self.record.clear();
        let begin = self.place(position);
        let straight = length.min(self.page + self.size - begin);
        self.writer.append(begin, straight, &mut self.record);
        let around = (length - straight).min(self.size);
        self.writer.append(self.page, around, &mut self.record);
    }
}

fn page_size() -> io::Result<usize> {
    let size = sysconf(SysconfVar::PAGE_SIZE)?;
    let size = size.and_then(|size| usize::try_from(size).ok());
    size.ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Memory of the map.
struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(map: BorrowedFd<'_>, access: i32, bytes: usize, offset: usize) -> io::Result<Self> {
        let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                access,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                offset,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base =
            NonNull::new(base.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Self { base, bytes })
    }

    /// A position at `offset`, a multiple of eight.
    fn word(&self, offset: usize) -> &AtomicUsize {
        assert!(offset.is_multiple_of(8) && offset + 8 <= self.bytes);
        // SAFETY: in bounds and aligned by the assertion; both sides go through
        // atomics.
        unsafe { AtomicUsize::from_ptr(self.base.as_ptr().add(offset).cast()) }
    }

    /// The head of a record at `offset`, a multiple of four.
    fn half(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.bytes);
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(self.base.as_ptr().add(offset).cast()) }
    }

    /// Appends bytes of a record that is complete, and that the writers leave alone
    /// until the reader's position has passed it.
    fn append(&self, offset: usize, length: usize, to: &mut Vec<u8>) {
        assert!(
            offset
                .checked_add(length)
                .is_some_and(|end| end <= self.bytes)
        );
        // SAFETY: in bounds by the assertion; nobody writes there meanwhile.
        let bytes = unsafe {
            std::slice::from_raw_parts(self.base.as_ptr().add(offset).cast_const(), length)
        };
        to.extend_from_slice(bytes);
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what was mapped.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;

    /// A ring of one page, written as the kernel does.
    struct Writer {
        memory: File,
        page: usize,
        position: usize,
    }

    impl Writer {
        fn new() -> (Self, Ring) {
            let memory = File::from(memfd_create("ring", MFdFlags::empty()).unwrap());
            let page = page_size().unwrap();
            memory.set_len(3 * page as u64).unwrap();
            let ring = Ring::of(memory.as_fd(), page).unwrap();
            let writer = Self {
                memory,
                page,
                position: 0,
            };
            (writer, ring)
        }

        fn put(&mut self, at: usize, bytes: &[u8]) {
            for (place, byte) in (at..).zip(bytes) {
                let place = 2 * self.page + place % self.page;
                self.memory.write_all_at(&[*byte], place as u64).unwrap();
            }
        }

        /// Writes a record; gives the position of its head.
        fn write(&mut self, bytes: &[u8], flags: u32) -> usize {
            let head = self.position;
            self.put(head, &(bytes.len() as u32 | flags).to_ne_bytes());
            self.put(head + HEADER, bytes);
            self.position = (head + HEADER + bytes.len()).next_multiple_of(8);
            let position = self.position.to_ne_bytes();
            self.memory
                .write_all_at(&position, self.page as u64)
                .unwrap();
            head
        }

        fn read_until(&self) -> usize {
            let mut position = [0; 8];
            self.memory.read_exact_at(&mut position, 0).unwrap();
            usize::from_ne_bytes(position)
        }
    }

    #[test]
    fn records_come_out_as_they_went_in_across_the_end() {
        let (mut writer, mut ring) = Writer::new();
        assert_eq!(ring.next(), None);
        // Lengths that end in all places of the ring, many times around.
        for number in 0..2000_usize {
            let record: Vec<u8> = (0..number % 700).map(|n| (n ^ number) as u8).collect();
            writer.write(&record, 0);
            assert_eq!(ring.next().unwrap(), record);
            assert_eq!(writer.read_until(), writer.position);
        }
        assert_eq!(ring.next(), None);
    }

    #[test]
    fn what_is_being_written_is_waited_for_and_what_was_discarded_is_not() {
        let (mut writer, mut ring) = Writer::new();
        writer.write(b"nothing", DISCARDED);
        let head = writer.write(b"later", BUSY);
        writer.write(b"last", 0);
        assert_eq!(ring.next(), None);
        writer.put(head, &5_u32.to_ne_bytes());
        assert_eq!(ring.next().unwrap(), b"later");
        assert_eq!(ring.next().unwrap(), b"last");
        assert_eq!(ring.next(), None);
    }
}
