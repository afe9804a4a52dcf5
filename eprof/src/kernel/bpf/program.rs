//! Calls that load, attach and run programs.

use std::ffi::CStr;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd};

use super::call::{
    BTF_LOAD, NAME, PROG_LOAD, PROG_TEST_RUN, RAW_TRACEPOINT_OPEN, call, call_mut, number, short,
};

/// `BPF_F_TEST_RUN_ON_CPU`.
const ON_CPU: u32 = 1;
/// How often a program is offered again where the verifier was interrupted by a
/// signal (`EAGAIN`; libbpf does the same).
const OFFERS: u32 = 5;

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

/// Loads type information.
pub(in crate::kernel) fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
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

/// A program as the kernel is to get it.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) struct Code<'a> {
    /// Its name.
    pub(in crate::kernel) name: &'a str,
    /// Of `enum bpf_prog_type`.
    pub(in crate::kernel) program_type: u32,
    /// Of `enum bpf_attach_type`; zero where that means nothing.
    pub(in crate::kernel) attach_type: u32,
    /// The number of the type that says what it is attached to; zero for none.
    pub(in crate::kernel) attach_type_id: u32,
    /// Its instructions.
    pub(in crate::kernel) instructions: &'a [u8],
    /// Its licence.
    pub(in crate::kernel) license: &'a CStr,
    /// Types of its functions, and where its lines are in the source.
    pub(in crate::kernel) debug: Option<DebugInfo<'a>>,
}

/// What `.BTF.ext` says of a program: records, and the bytes of each.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) struct DebugInfo<'a> {
    /// The types that it refers to.
    pub(in crate::kernel) btf: BorrowedFd<'a>,
    /// `struct bpf_func_info`.
    pub(in crate::kernel) functions: (&'a [u8], usize),
    /// `struct bpf_line_info`.
    pub(in crate::kernel) lines: (&'a [u8], usize),
}

/// Loads a program.
pub(in crate::kernel) fn load_program(code: &Code<'_>) -> io::Result<OwnedFd> {
    // SAFETY: what the pointers lead to is borrowed by `code`.
    unsafe { offer(&attributes(code)?) }
}

/// What the verifier says of a program that it refuses: the program is offered
/// again, with room for its log. `None` where it was not the verifier that refused
/// it, for then the log is empty.
///
/// Up to Linux 6.3 a log that is too long loses its end, later its beginning; both
/// tell `ENOSPC`, so the room grows as long as the kernel takes a larger one.
pub(in crate::kernel) fn verifier_log(code: &Code<'_>) -> Option<String> {
    let mut attributes = attributes(code).ok()?;
    let mut room = vec![0; SMALLEST_LOG];
    loop {
        attributes.log_level = LOG_OF_THE_PATH;
        attributes.log_size = u32::try_from(room.len()).ok()?;
        attributes.log = room.as_mut_ptr() as u64;
        // SAFETY: as above; the room for the log is as large as said.
        let error = unsafe { offer(&attributes) }.err()?;
        if error.raw_os_error() != Some(libc::ENOSPC) || room.len() == LARGEST_LOG {
            break;
        }
        room = vec![0; (room.len() * 8).min(LARGEST_LOG)];
    }
    let log = CStr::from_bytes_until_nul(&room).ok()?;
    (!log.is_empty()).then(|| log.to_string_lossy().into_owned())
}

/// `BPF_LOG_LEVEL1` of include/linux/bpf_verifier.h: the instructions on the way
/// to what was refused, and what the verifier knew there.
const LOG_OF_THE_PATH: u32 = 1;
/// Bytes of the first log.
const SMALLEST_LOG: usize = 4 << 10;
/// Most bytes of a log that every kernel allows (kernel/bpf/verifier.c of Linux 5.12,
/// `bpf_check`).
const LARGEST_LOG: usize = (u32::MAX >> 8) as usize;

fn attributes(code: &Code<'_>) -> io::Result<ProgramAttributes> {
    let small = |number: usize| u32::try_from(number).map_err(|_| io::ErrorKind::InvalidInput);
    let records = |(bytes, size): (&[u8], usize)| match bytes.len().checked_div(size) {
        None | Some(0) => Ok((0, 0, 0)),
        Some(count) => Ok::<_, io::Error>((bytes.as_ptr() as u64, small(count)?, small(size)?)),
    };
    let nothing: (&[u8], usize) = (&[], 0);
    let functions = records(code.debug.map_or(nothing, |debug| debug.functions))?;
    let lines = records(code.debug.map_or(nothing, |debug| debug.lines))?;
    Ok(ProgramAttributes {
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
    })
}

/// Offers a program to the kernel.
///
/// # Safety
/// Pointers in the attributes are valid, for as many bytes as the sizes say.
unsafe fn offer(attributes: &ProgramAttributes) -> io::Result<OwnedFd> {
    let mut offers = 0;
    loop {
        offers += 1;
        // SAFETY: by the caller; the call gives a new descriptor that nobody else
        // owns.
        match unsafe { call(PROG_LOAD, attributes) } {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) && offers < OFFERS => {}
            // SAFETY: as above.
            loaded => return loaded.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
        }
    }
}

/// Bytes of an instruction (`struct bpf_insn`).
pub(in crate::kernel) const INSTRUCTION: usize = 8;

/// The bytes of an instruction, with the numbers of two registers
/// (Documentation/bpf/standardization/instruction-set.rst).
pub(in crate::kernel) fn instruction(
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
pub(in crate::kernel) fn attach(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
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
pub(in crate::kernel) fn run(
    program: BorrowedFd<'_>,
    arguments: &[u64],
    cpu: Option<u32>,
) -> io::Result<u32> {
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
