//! The system call that clones the child.
#![expect(
    unsafe_code,
    reason = "making a process inside a cgroup has no safe wrapper"
)]

use std::ffi::c_long;
use std::os::fd::RawFd;

use nix::errno::Errno;

use super::exec_image::Image;

/// `struct clone_args` of linux/sched.h, version 2 (`CLONE_ARGS_SIZE_VER2`,
/// 88 bytes), with the cgroup as its last field.
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// linux/sched.h.
const CLONE_PIDFD: u64 = 0x1000;
/// linux/sched.h, Linux 5.7.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// The two ways to make the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloneMethod {
    /// By clone3, inside the cgroup whose directory this is, if any.
    Clone3(Option<RawFd>),
    /// By fork, entering the cgroup by its `cgroup.procs`, if any.
    Fork(Option<RawFd>),
}

/// Makes the child; returns, in the parent only, its process id and pidfd.
///
/// # Safety
///
/// All signals must be blocked in the calling thread.
pub(super) unsafe fn clone_child(
    image: &mut Image,
    method: CloneMethod,
) -> Result<(i32, RawFd), Errno> {
    match method {
        CloneMethod::Clone3(cgroup) => {
            let mut pidfd: RawFd = -1;
            let mut arguments = CloneArguments {
                flags: CLONE_PIDFD,
                pidfd: (&raw mut pidfd).addr() as u64,
                exit_signal: libc::SIGCHLD as u64,
                ..CloneArguments::default()
            };
            if let Some(directory) = cgroup {
                arguments.flags |= CLONE_INTO_CGROUP;
                arguments.cgroup = u64::try_from(directory).map_err(|_| Errno::EBADF)?;
            }
            // SAFETY: the arguments are a live clone_args of the size given;
            // without CLONE_VM the child gets its own copy of the memory and
            // goes on, on a copy of this stack, like after a fork.
            let pid = Errno::result(unsafe {
                libc::syscall(
                    libc::SYS_clone3,
                    &raw mut arguments,
                    size_of::<CloneArguments>(),
                )
            })?;
            if pid == 0 {
                // SAFETY: this is the fresh child, with signals blocked by
                // this function's own contract.
                unsafe { image.run_child(None) }
            }
            Ok((process_id(pid), pidfd))
        }
        CloneMethod::Fork(list) => {
            // SAFETY: the child calls async-signal-safe functions only.
            let pid = Errno::result(unsafe { libc::fork() })?;
            if pid == 0 {
                // SAFETY: as above.
                unsafe { image.run_child(list) }
            }
            // SAFETY: the call takes two integers; the child is not reaped
            // yet, so its id is still its own.
            let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
            Ok((pid, process_id(pidfd)))
        }
    }
}

/// A result of the kernel that is an int, out of the long that `syscall`
/// returns.
fn process_id(value: c_long) -> i32 {
    value as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_the_arguments_by_their_size() {
        assert_eq!(size_of::<CloneArguments>(), 88);
        assert_eq!(std::mem::offset_of!(CloneArguments, cgroup), 80);
    }
}
