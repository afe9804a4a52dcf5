//! Giving up all capabilities.
#![expect(unsafe_code, reason = "capset(2) has no safe wrapper")]

use std::io;

use nix::errno::Errno;

/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h: two words per set.
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct` of linux/capability.h.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// Empties the effective, permitted and inheritable sets of this thread, and with
/// them the ambient set.
///
/// # Errors
///
/// What the kernel said; it never refuses to take capabilities away.
pub(super) fn give_up() -> io::Result<()> {
    let header = Header {
        version: CAPABILITY_VERSION_3,
        pid: 0,
    };
    // Two `struct __user_cap_data_struct`, each of three words.
    let nothing = [0_u32; 6];
    // SAFETY: header and words have the layout of version 3, which is what the header
    // asks for, and live through the call.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw const header, nothing.as_ptr()) };
    Errno::result(done)?;
    Ok(())
}
