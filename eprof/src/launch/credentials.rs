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

// The unnumbered calls of old 32-bit ports take 16-bit ids.
#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
use libc::{SYS_setgroups, SYS_setresgid, SYS_setresuid};
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
use libc::{
    SYS_setgroups32 as SYS_setgroups, SYS_setresgid32 as SYS_setresgid,
    SYS_setresuid32 as SYS_setresuid,
};

/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h: two words per set.
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct` of linux/capability.h.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct` of linux/capability.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapabilityWord {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

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
    let mut header = CapabilityHeader {
        version: CAPABILITY_VERSION_3,
        pid: 0,
    };
    let mut words = [CapabilityWord::default(); 2];
    // SAFETY: header and words have the layout of version 3, which is what
    // the header asks for, and live through the call.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) })?;
    if words.iter().all(|word| word.inheritable == 0) {
        // Ambient is a subset of inheritable.
        return Ok(());
    }
    for word in &mut words {
        word.inheritable = 0;
    }
    // SAFETY: as above. Lowering the inheritable set lowers the ambient set
    // with it.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, words.as_ptr()) })
        .map(drop)
}
