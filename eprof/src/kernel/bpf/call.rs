//! The system call itself, and what its attributes are made of.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use crate::host::elevation;

/// Commands of `enum bpf_cmd` (include/uapi/linux/bpf.h).
pub(super) const MAP_CREATE: libc::c_int = 0;
pub(super) const MAP_UPDATE_ELEM: libc::c_int = 2;
pub(super) const PROG_LOAD: libc::c_int = 5;
pub(super) const PROG_TEST_RUN: libc::c_int = 10;
pub(super) const RAW_TRACEPOINT_OPEN: libc::c_int = 17;
pub(super) const BTF_LOAD: libc::c_int = 18;
pub(super) const MAP_FREEZE: libc::c_int = 22;

/// Bytes of a name with its end (`BPF_OBJ_NAME_LEN`).
pub(super) const NAME: usize = 16;

/// As much of `name` as there is room for, with a zero at the end.
pub(super) fn short(name: &str) -> [u8; NAME] {
    let mut short = [0; NAME];
    for (to, from) in short[..NAME - 1].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    short
}

/// A descriptor as the kernel's attributes have it.
pub(super) fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd() as u32
}

/// Does what `command` says with `attributes`, its part of `union bpf_attr`;
/// gives what the kernel answered.
///
/// # Safety
/// Pointers in the attributes are valid, as the command wants them, and it writes
/// nothing into the attributes.
pub(super) unsafe fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_int> {
    // SAFETY: by the caller; the kernel does not write.
    unsafe { syscall(command, (&raw const *attributes).cast_mut()) }
}

/// The same for a command that writes into the attributes.
///
/// # Safety
/// Pointers in the attributes are valid, as the command wants them.
pub(super) unsafe fn call_mut<T>(
    command: libc::c_int,
    attributes: &mut T,
) -> io::Result<libc::c_int> {
    // SAFETY: by the caller.
    unsafe { syscall(command, attributes) }
}

/// # Safety
/// As [`call`] or [`call_mut`].
unsafe fn syscall<T>(command: libc::c_int, attributes: *mut T) -> io::Result<libc::c_int> {
    let _raised = elevation::raised(elevation::KERNEL);
    // SAFETY: the attributes are of the given size; the rest by the caller.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(answer as libc::c_int)
}
