//! The call of bpf(2) that aya does not have.
#![expect(unsafe_code, reason = "a raw system call")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `BPF_MAP_UPDATE_ELEM` of `enum bpf_cmd`.
const MAP_UPDATE_ELEM: libc::c_int = 2;

/// The part of `union bpf_attr` for commands on map elements.
#[repr(C)]
struct ElementAttributes {
    map_fd: u32,
    zero: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Stores a 32-bit value (which for an array of perf events is a file
/// descriptor) under a 32-bit key.
pub(super) fn set_u32(map: BorrowedFd<'_>, key: u32, value: u32) -> io::Result<()> {
    let attributes = ElementAttributes {
        map_fd: map.as_raw_fd() as u32,
        zero: 0,
        key: (&raw const key) as u64,
        value: (&raw const value) as u64,
        flags: 0,
    };
    // SAFETY: the attributes are of the given size, and both pointers are
    // valid during the call.
    let status = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            MAP_UPDATE_ELEM,
            &raw const attributes,
            size_of::<ElementAttributes>(),
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
