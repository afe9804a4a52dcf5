//! The calls of bpf(2) that aya does not have.
#![expect(unsafe_code, reason = "a raw system call")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `BPF_MAP_CREATE` of `enum bpf_cmd`.
const MAP_CREATE: libc::c_int = 0;
/// `BPF_MAP_TYPE_ARRAY` of `enum bpf_map_type`.
const ARRAY: u32 = 2;
/// `BPF_F_MMAPABLE`.
const MMAPABLE: u32 = 1 << 10;
/// `BPF_BTF_LOAD` of `enum bpf_cmd`.
const BTF_LOAD: libc::c_int = 18;
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

/// The part of `union bpf_attr` for creating a map, up to its types.
#[repr(C)]
struct MapAttributes {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    name: [u8; 16],
    interface: u32,
    btf_fd: u32,
    key_type: u32,
    value_type: u32,
}

/// The part of `union bpf_attr` for loading type information.
#[repr(C)]
struct BtfAttributes {
    btf: u64,
    log: u64,
    size: u32,
    log_size: u32,
    log_level: u32,
    zero: u32,
}

/// Type information of a map: the numbers of the types of key and value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Types<'a> {
    pub(super) btf: BorrowedFd<'a>,
    pub(super) key: u32,
    pub(super) value: u32,
}

/// Loads type information.
pub(super) fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    let attributes = BtfAttributes {
        btf: btf.as_ptr() as u64,
        log: 0,
        size: u32::try_from(btf.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        log_size: 0,
        log_level: 0,
        zero: 0,
    };
    // SAFETY: the pointer in the attributes is valid during the call, which gives
    // a new descriptor that nobody else owns.
    unsafe { Ok(OwnedFd::from_raw_fd(call(BTF_LOAD, &attributes)?)) }
}

/// Creates an array with one element of `value_size` bytes that can be mapped
/// into memory.
pub(super) fn create_array(value_size: u32, types: Types<'_>) -> io::Result<OwnedFd> {
    let attributes = MapAttributes {
        map_type: ARRAY,
        key_size: 4,
        value_size,
        max_entries: 1,
        map_flags: MMAPABLE,
        inner_map_fd: 0,
        numa_node: 0,
        name: *b"CHUNK\0\0\0\0\0\0\0\0\0\0\0",
        interface: 0,
        btf_fd: types.btf.as_raw_fd() as u32,
        key_type: types.key,
        value_type: types.value,
    };
    // SAFETY: there is no pointer in the attributes; the call gives a new
    // descriptor that nobody else owns.
    unsafe { Ok(OwnedFd::from_raw_fd(call(MAP_CREATE, &attributes)?)) }
}

/// Stores a map in a map of maps.
pub(super) fn set_fd(map: BorrowedFd<'_>, key: u32, value: BorrowedFd<'_>) -> io::Result<()> {
    set_u32(map, key, value.as_raw_fd() as u32)
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
    // SAFETY: both pointers in the attributes are valid during the call.
    unsafe { call(MAP_UPDATE_ELEM, &attributes) }.map(drop)
}

/// Does what `command` says with `attributes`, its part of `union bpf_attr`;
/// gives what the kernel answered.
///
/// # Safety
/// Pointers in the attributes are valid, as the command wants them.
unsafe fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_int> {
    // SAFETY: the attributes are of the given size; the rest by the caller.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            &raw const *attributes,
            size_of::<T>(),
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(answer as libc::c_int)
}
