//! The system calls of a process that reads files and answers: all others fail.
#![expect(unsafe_code, reason = "seccomp(2) has no safe wrapper")]

use std::io;

use libc::{c_long, sock_filter, sock_fprog};
use nix::errno::Errno;

/// What is allowed whatever its arguments are.
const ALLOWED: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_fcntl,
    libc::SYS_ftruncate,
    libc::SYS_memfd_create,
    libc::SYS_recvmsg,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_geteuid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The older forms of some of them.
#[cfg(target_arch = "x86_64")]
const ALSO_ALLOWED: &[c_long] = &[
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
];
#[cfg(not(target_arch = "x86_64"))]
const ALSO_ALLOWED: &[c_long] = &[];

/// Any of these, and a file is not only read (linux/fcntl.h; `O_TMPFILE` without the
/// bit of `O_DIRECTORY`).
const NOT_READING: u32 = (libc::O_ACCMODE
    | libc::O_CREAT
    | libc::O_TRUNC
    | libc::O_APPEND
    | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;

/// The machine, as `struct seccomp_data` names it (linux/audit.h).
#[cfg(target_arch = "x86_64")]
const MACHINE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const MACHINE: u32 = 0xc000_00b7;

/// From here on, numbers are those of x32 (asm/unistd.h, `__X32_SYSCALL_BIT`).
const X32: u32 = 0x4000_0000;

// Offsets in `struct seccomp_data` of linux/seccomp.h. The low half of an argument
// comes first: both machines are little-endian.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Operations of classic BPF (linux/filter.h).
const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const IF_ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Restricts this process, which must have one thread, and must not be able to gain
/// privileges. Without effect where the kernel has no filters.
///
/// # Errors
///
/// Where the kernel has filters and refuses this one.
pub(super) fn apply() -> io::Result<()> {
    let mut program = program(std::process::id());
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let filter = sock_fprog {
        len: length,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program and its head live through the call, and have the length that
    // is said.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const filter,
        )
    };
    match Errno::result(done) {
        // Not built in.
        Err(Errno::ENOSYS | Errno::EINVAL) => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

fn program(process: u32) -> Vec<sock_filter> {
    let allow = statement(RETURN, libc::SECCOMP_RET_ALLOW);
    let refuse = |errno: Errno| statement(RETURN, libc::SECCOMP_RET_ERRNO | errno as u32);
    let mut program = vec![
        statement(LOAD, ARCHITECTURE),
        jump(IF_EQUAL, MACHINE, 1, 0),
        refuse(Errno::EPERM),
        statement(LOAD, NUMBER),
        jump(IF_AT_LEAST, X32, 0, 1),
        refuse(Errno::EPERM),
    ];
    for &number in ALLOWED.iter().chain(ALSO_ALLOWED) {
        program.extend([jump(IF_EQUAL, number as u32, 0, 1), allow]);
    }
    let reading = |number: c_long, argument: u32| {
        [
            jump(IF_EQUAL, number as u32, 0, 4),
            statement(LOAD, ARGUMENTS + 8 * argument),
            jump(IF_ANY_BIT, NOT_READING, 0, 1),
            refuse(Errno::EACCES),
            allow,
        ]
    };
    program.extend(reading(libc::SYS_openat, 2));
    #[cfg(target_arch = "x86_64")]
    program.extend(reading(libc::SYS_open, 1));
    // A signal to itself, by which it aborts.
    program.extend([
        jump(IF_EQUAL, libc::SYS_tgkill as u32, 0, 4),
        statement(LOAD, ARGUMENTS),
        jump(IF_EQUAL, process, 0, 1),
        allow,
        refuse(Errno::EPERM),
        refuse(Errno::EPERM),
    ]);
    program
}

fn statement(code: u16, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

/// Where it holds, skips `then` operations, else `otherwise`.
fn jump(code: u16, k: u32, then: u8, otherwise: u8) -> sock_filter {
    sock_filter {
        code,
        jt: then,
        jf: otherwise,
        k,
    }
}
