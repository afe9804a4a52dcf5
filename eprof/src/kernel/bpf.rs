//! The calls of bpf(2): those that load programs and make maps. Aya has them, but
//! its loader parses the types of all structures of the kernel, whether anything
//! needs them or not, which takes 20 MB and more time than all else.
#![expect(unsafe_code, reason = "a raw system call")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Commands of `enum bpf_cmd` (include/uapi/linux/bpf.h).
const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const PROG_TEST_RUN: libc::c_int = 10;
const RAW_TRACEPOINT_OPEN: libc::c_int = 17;
const BTF_LOAD: libc::c_int = 18;
const MAP_FREEZE: libc::c_int = 22;

/// `BPF_MAP_TYPE_ARRAY` of `enum bpf_map_type`.
pub(super) const ARRAY: u32 = 2;
/// `BPF_F_MMAPABLE`.
pub(super) const MMAPABLE: u32 = 1 << 10;
/// `BPF_F_TEST_RUN_ON_CPU`.
const ON_CPU: u32 = 1;
/// How often a program is offered again where the verifier was interrupted by a
/// signal (`EAGAIN`; libbpf does the same).
const OFFERS: u32 = 5;

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

/// The part of `union bpf_attr` for loading a program, up to what it is
/// attached to.
#[repr(C)]
struct ProgramAttributes {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; NAME],
    interface: u32,
    expected_attach_type: u32,
    btf_fd: u32,
    function_record: u32,
    functions: u64,
    function_count: u32,
    line_record: u32,
    lines: u64,
    line_count: u32,
    attach_type_id: u32,
}

/// The part of `union bpf_attr` for attaching a program to a tracepoint.
#[repr(C)]
struct TracepointAttributes {
    name: u64,
    program_fd: u32,
    zero: u32,
}

/// The part of `union bpf_attr` for running a program.
#[repr(C)]
#[derive(Default)]
struct RunAttributes {
    program_fd: u32,
    answer: u32,
    data_size: [u32; 2],
    data: [u64; 2],
    repeat: u32,
    duration: u32,
    context_size: [u32; 2],
    context: [u64; 2],
    flags: u32,
    cpu: u32,
    batch_size: u32,
    zero: u32,
}

/// Bytes of a name with its end (`BPF_OBJ_NAME_LEN`).
const NAME: usize = 16;

/// As much of `name` as there is room for, with a zero at the end.
fn short(name: &str) -> [u8; NAME] {
    let mut short = [0; NAME];
    for (to, from) in short[..NAME - 1].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    short
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

/// What a map is to be like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MapShape<'a> {
    /// Of `enum bpf_map_type`.
    pub(super) map_type: u32,
    /// Bytes of a key.
    pub(super) key_size: u32,
    /// Bytes of a value.
    pub(super) value_size: u32,
    /// How many there are.
    pub(super) entries: u32,
    /// `BPF_F_` flags.
    pub(super) flags: u32,
    /// In a map of maps: a map like those that it will hold.
    pub(super) inner: Option<BorrowedFd<'a>>,
    /// The types of key and value.
    pub(super) types: Option<Types<'a>>,
}

/// Creates a map.
pub(super) fn create_map(name: &str, shape: &MapShape<'_>) -> io::Result<OwnedFd> {
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
pub(super) fn create_array(value_size: u32, types: Types<'_>) -> io::Result<OwnedFd> {
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

/// Stores the first element of an array, whose values have as many bytes as
/// `value`.
pub(super) fn set_first(map: BorrowedFd<'_>, value: &[u8]) -> io::Result<()> {
    let key = 0_u32;
    let attributes = ElementAttributes {
        map_fd: number(map),
        zero: 0,
        key: (&raw const key) as u64,
        value: value.as_ptr() as u64,
        flags: 0,
    };
    // SAFETY: both pointers in the attributes are valid during the call, the
    // second one for as many bytes as the caller says a value has.
    unsafe { call(MAP_UPDATE_ELEM, &attributes) }.map(drop)
}

/// Makes a map one that user space cannot change any more.
pub(super) fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: there is no pointer in the attributes.
    unsafe { call(MAP_FREEZE, &number(map)) }.map(drop)
}

/// A program as the kernel is to get it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Of `enum bpf_prog_type`.
    pub(super) program_type: u32,
    /// Of `enum bpf_attach_type`; zero where that means nothing.
    pub(super) attach_type: u32,
    /// The number of the type that says what it is attached to; zero for none.
    pub(super) attach_type_id: u32,
    /// Its instructions.
    pub(super) instructions: &'a [u8],
    /// Its licence.
    pub(super) license: &'a CStr,
    /// Types of its functions, and where its lines are in the source.
    pub(super) debug: Option<DebugInfo<'a>>,
}

/// What `.BTF.ext` says of a program: records, and the bytes of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct DebugInfo<'a> {
    /// The types that it refers to.
    pub(super) btf: BorrowedFd<'a>,
    /// `struct bpf_func_info`.
    pub(super) functions: (&'a [u8], usize),
    /// `struct bpf_line_info`.
    pub(super) lines: (&'a [u8], usize),
}

/// Loads a program.
pub(super) fn load_program(code: &Code<'_>) -> io::Result<OwnedFd> {
    let small = |number: usize| u32::try_from(number).map_err(|_| io::ErrorKind::InvalidInput);
    let records = |(bytes, size): (&[u8], usize)| match bytes.len().checked_div(size) {
        None | Some(0) => Ok((0, 0, 0)),
        Some(count) => Ok::<_, io::Error>((bytes.as_ptr() as u64, small(count)?, small(size)?)),
    };
    let nothing: (&[u8], usize) = (&[], 0);
    let functions = records(code.debug.map_or(nothing, |debug| debug.functions))?;
    let lines = records(code.debug.map_or(nothing, |debug| debug.lines))?;
    let attributes = ProgramAttributes {
        program_type: code.program_type,
        instruction_count: small(code.instructions.len() / INSTRUCTION)?,
        instructions: code.instructions.as_ptr() as u64,
        license: code.license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
        name: short(code.name),
        interface: 0,
        expected_attach_type: code.attach_type,
        btf_fd: code.debug.map_or(0, |debug| number(debug.btf)),
        function_record: functions.2,
        functions: functions.0,
        function_count: functions.1,
        line_record: lines.2,
        lines: lines.0,
        line_count: lines.1,
        attach_type_id: code.attach_type_id,
    };
    let mut offers = 0;
    loop {
        offers += 1;
        // SAFETY: all pointers in the attributes are valid during the call, for as
        // many bytes as the sizes say; it gives a new descriptor that nobody else
        // owns.
        match unsafe { call(PROG_LOAD, &attributes) } {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) && offers < OFFERS => {}
            // SAFETY: as above.
            loaded => return loaded.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
        }
    }
}

/// Bytes of an instruction (`struct bpf_insn`).
pub(super) const INSTRUCTION: usize = 8;

/// The bytes of an instruction, with the numbers of two registers
/// (Documentation/bpf/standardization/instruction-set.rst).
pub(super) fn instruction(
    code: u8,
    to: u8,
    from: u8,
    offset: i16,
    constant: i32,
) -> [u8; INSTRUCTION] {
    let registers = if cfg!(target_endian = "little") {
        from << 4 | to
    } else {
        to << 4 | from
    };
    let [low, high] = offset.to_ne_bytes();
    let [a, b, c, d] = constant.to_ne_bytes();
    [code, registers, low, high, a, b, c, d]
}

/// Attaches a program to the tracepoint that it was loaded for, for as long as
/// the descriptor is open.
pub(super) fn attach(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let attributes = TracepointAttributes {
        name: 0,
        program_fd: number(program),
        zero: 0,
    };
    // SAFETY: there is no pointer in the attributes; the call gives a new
    // descriptor that nobody else owns.
    unsafe {
        Ok(OwnedFd::from_raw_fd(call(
            RAW_TRACEPOINT_OPEN,
            &attributes,
        )?))
    }
}

/// Runs a program of raw tracepoints with these arguments, on a CPU or on any;
/// gives its answer. Since Linux 5.10.
pub(super) fn run(program: BorrowedFd<'_>, arguments: &[u64], cpu: Option<u32>) -> io::Result<u32> {
    let mut attributes = RunAttributes {
        program_fd: number(program),
        context_size: [
            u32::try_from(size_of_val(arguments)).map_err(|_| io::ErrorKind::InvalidInput)?,
            0,
        ],
        context: [arguments.as_ptr() as u64, 0],
        flags: if cpu.is_some() { ON_CPU } else { 0 },
        cpu: cpu.unwrap_or(0),
        ..RunAttributes::default()
    };
    // SAFETY: the pointer in the attributes is valid during the call; the answer
    // is written into them.
    unsafe { call_mut(PROG_TEST_RUN, &mut attributes)? };
    Ok(attributes.answer)
}

/// Stores a map in a map of maps.
pub(super) fn set_fd(map: BorrowedFd<'_>, key: u32, value: BorrowedFd<'_>) -> io::Result<()> {
    set_u32(map, key, number(value))
}

/// Stores a 32-bit value (which for an array of perf events is a file
/// descriptor) under a 32-bit key.
pub(super) fn set_u32(map: BorrowedFd<'_>, key: u32, value: u32) -> io::Result<()> {
    let attributes = ElementAttributes {
        map_fd: number(map),
        zero: 0,
        key: (&raw const key) as u64,
        value: (&raw const value) as u64,
        flags: 0,
    };
    // SAFETY: both pointers in the attributes are valid during the call.
    unsafe { call(MAP_UPDATE_ELEM, &attributes) }.map(drop)
}

/// A descriptor as the kernel's attributes have it.
fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd() as u32
}

/// Does what `command` says with `attributes`, its part of `union bpf_attr`;
/// gives what the kernel answered.
///
/// # Safety
/// Pointers in the attributes are valid, as the command wants them, and it writes
/// nothing into the attributes.
unsafe fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_int> {
    // SAFETY: by the caller; the kernel does not write.
    unsafe { syscall(command, (&raw const *attributes).cast_mut()) }
}

/// The same for a command that writes into the attributes.
///
/// # Safety
/// Pointers in the attributes are valid, as the command wants them.
unsafe fn call_mut<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: by the caller.
    unsafe { syscall(command, attributes) }
}

/// # Safety
/// As [`call`] or [`call_mut`].
unsafe fn syscall<T>(command: libc::c_int, attributes: *mut T) -> io::Result<libc::c_int> {
    // SAFETY: the attributes are of the given size; the rest by the caller.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(answer as libc::c_int)
}
