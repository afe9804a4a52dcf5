//! Credentials of the calling thread alone.
//!
//! The C library's `setuid` and friends change all threads of the process by
//! signals and locks, which is neither wanted in a thread that opens a file
//! as the user nor possible between clone and exec. The system calls
//! themselves act on the calling thread only (credentials(7), "NPTL"), do not
//! allocate and take no locks, so every function here is async-signal-safe.
#![expect(
    unsafe_code,
    reason = "per-thread credentials exist as raw system calls only"
)]

use nix::errno::Errno;

use crate::host::thread_caps::ThreadCaps;

// The unnumbered calls of old 32-bit ports take 16-bit ids.
#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
use libc::{SYS_setgroups, SYS_setresgid, SYS_setresuid};
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
use libc::{
    SYS_setgroups32 as SYS_setgroups, SYS_setresgid32 as SYS_setresgid,
    SYS_setresuid32 as SYS_setresuid,
};

/// Sets the supplementary groups.
///
/// # Errors
///
/// `EPERM` without `CAP_SETGID`.
pub(super) fn set_groups(groups: &[u32]) -> Result<(), Errno> {
    // SAFETY: the pointer and the length are those of one live slice, and
    // gid_t is u32.
    Errno::result(unsafe { libc::syscall(SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}

/// Sets the real, effective and saved group.
///
/// # Errors
///
/// `EPERM` without `CAP_SETGID`.
pub(super) fn set_group(group: u32) -> Result<(), Errno> {
    // SAFETY: the call takes three integers.
    Errno::result(unsafe { libc::syscall(SYS_setresgid, group, group, group) }).map(drop)
}

/// Sets the real, effective and saved user. Going from root to another user
/// gives up all permitted and effective capabilities (capabilities(7)).
///
/// # Errors
///
/// `EPERM` without `CAP_SETUID`.
pub(super) fn set_user(user: u32) -> Result<(), Errno> {
    // SAFETY: the call takes three integers.
    Errno::result(unsafe { libc::syscall(SYS_setresuid, user, user, user) }).map(drop)
}

/// Empties the inheritable and ambient sets, so that no capability of eprof
/// passes through the next exec: what the new program then has comes from
/// its user id and its own file alone.
///
/// # Errors
///
/// What the kernel said; it never refuses to take capabilities away.
pub(super) fn drop_inheritable() -> Result<(), Errno> {
    let caps = ThreadCaps::get()?;
    if caps.inheritable == 0 {
        // Ambient is a subset of inheritable.
        return Ok(());
    }
    ThreadCaps {
        inheritable: 0,
        ..caps
    }
    .set()
}
