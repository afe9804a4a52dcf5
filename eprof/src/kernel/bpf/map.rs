//! Calls that make and fill maps.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use super::call::{MAP_CREATE, MAP_FREEZE, MAP_UPDATE_ELEM, NAME, call, number, short};

/// `BPF_MAP_TYPE_ARRAY` of `enum bpf_map_type`.
pub(in crate::kernel) const ARRAY: u32 = 2;
/// `BPF_F_MMAPABLE`.
pub(in crate::kernel) const MMAPABLE: u32 = 1 << 10;

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
    name: [u8; NAME],
    interface: u32,
    btf_fd: u32,
    key_type: u32,
    value_type: u32,
}

/// Type information of a map: the numbers of the types of key and value.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) struct Types<'a> {
    pub(in crate::kernel) btf: BorrowedFd<'a>,
    pub(in crate::kernel) key: u32,
    pub(in crate::kernel) value: u32,
}

/// What a map is to be like.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::kernel) struct MapShape<'a> {
    /// Of `enum bpf_map_type`.
    pub(in crate::kernel) map_type: u32,
    /// Bytes of a key.
    pub(in crate::kernel) key_size: u32,
    /// Bytes of a value.
    pub(in crate::kernel) value_size: u32,
    /// How many there are.
    pub(in crate::kernel) entries: u32,
    /// `BPF_F_` flags.
    pub(in crate::kernel) flags: u32,
    /// In a map of maps: a map like those that it will hold.
    pub(in crate::kernel) inner: Option<BorrowedFd<'a>>,
    /// The types of key and value.
    pub(in crate::kernel) types: Option<Types<'a>>,
}

/// Creates a map.
pub(in crate::kernel) fn create_map(name: &str, shape: &MapShape<'_>) -> io::Result<OwnedFd> {
    let attributes = MapAttributes {
        map_type: shape.map_type,
        key_size: shape.key_size,
        value_size: shape.value_size,
        max_entries: shape.entries,
        map_flags: shape.flags,
        inner_map_fd: shape.inner.map_or(0, number),
        numa_node: 0,
        name: short(name),
        interface: 0,
        btf_fd: shape.types.map_or(0, |types| number(types.btf)),
        key_type: shape.types.map_or(0, |types| types.key),
        value_type: shape.types.map_or(0, |types| types.value),
    };
    // SAFETY: there is no pointer in the attributes; the call gives a new
    // descriptor that nobody else owns.
    unsafe { Ok(OwnedFd::from_raw_fd(call(MAP_CREATE, &attributes)?)) }
}

/// Creates an array with one element of `value_size` bytes that can be mapped
/// into memory.
pub(in crate::kernel) fn create_array(value_size: u32, types: Types<'_>) -> io::Result<OwnedFd> {
    let shape = MapShape {
        map_type: ARRAY,
        key_size: 4,
        value_size,
        entries: 1,
        flags: MMAPABLE,
        types: Some(types),
        ..MapShape::default()
    };
    create_map("CHUNK", &shape)
}

/// Creates an array whose first element is `value`, which has as many bytes as
/// values of that shape.
pub(in crate::kernel) fn create_filled(
    name: &str,
    shape: &MapShape<'_>,
    value: &[u8],
) -> io::Result<OwnedFd> {
    if value.len() != shape.value_size as usize || shape.key_size != 4 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let map = create_map(name, shape)?;
    // SAFETY: the value has as many bytes as values have, and keys have four.
    unsafe { set(map.as_fd(), 0, value)? };
    Ok(map)
}

/// Makes a map one that user space cannot change any more.
pub(in crate::kernel) fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: there is no pointer in the attributes.
    unsafe { call(MAP_FREEZE, &number(map)) }.map(drop)
}

/// Stores a map in a map of maps.
pub(in crate::kernel) fn set_fd(
    map: BorrowedFd<'_>,
    key: u32,
    value: BorrowedFd<'_>,
) -> io::Result<()> {
    set_u32(map, key, number(value))
}

/// Stores a 32-bit value (which for an array of perf events is a file
/// descriptor) under a 32-bit key.
pub(in crate::kernel) fn set_u32(map: BorrowedFd<'_>, key: u32, value: u32) -> io::Result<()> {
    // SAFETY: such maps have keys and values of 32 bits.
    unsafe { set(map, key, &value.to_ne_bytes()) }
}

/// Stores a value.
///
/// # Safety
/// The map's keys have 32 bits, and its values as many bytes as `value`.
unsafe fn set(map: BorrowedFd<'_>, key: u32, value: &[u8]) -> io::Result<()> {
    let attributes = ElementAttributes {
        map_fd: number(map),
        zero: 0,
        key: (&raw const key) as u64,
        value: value.as_ptr() as u64,
        flags: 0,
    };
    // SAFETY: both pointers in the attributes are valid during the call, by the
    // caller for as many bytes as the kernel reads.
    unsafe { call(MAP_UPDATE_ELEM, &attributes) }.map(drop)
}
