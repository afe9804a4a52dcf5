//! Filters of system calls (seccomp(2)), in the machine of Documentation/networking/filter.rst.

use std::io;

use libc::sock_filter;

const fn instruction(code: u32, no: u8, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt: 0,
        jf: no,
        k,
    }
}

/// Loads the 32 bits at an offset of `struct seccomp_data`; at 0 is the call's number.
pub(crate) const fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, offset)
}

/// Leaves so many instructions out unless what was loaded is `value`.
pub(crate) const fn unless(value: u32, no: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, no, value)
}

/// Leaves so many instructions out unless one of these bits is set.
pub(crate) const fn unless_set(bits: u32, no: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, no, bits)
}

/// Ends with an answer, `SECCOMP_RET_…`.
pub(crate) const fn answer(what: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, what)
}

/// Ends with an error.
pub(crate) const fn fail(errno: i32) -> sock_filter {
    answer(libc::SECCOMP_RET_ERRNO | errno as u32)
}

/// Filters the calls of this process from now on; makes one system call.
pub(crate) fn install(filter: &mut [sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program is whole, and outlives the call.
    let installed = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    match installed {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
