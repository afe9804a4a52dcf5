//! Renaming without taking a name away from anybody.
#![expect(unsafe_code, reason = "not every C library has a wrapper of the call")]

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::errno::Errno;

/// `RENAME_NOREPLACE` of include/uapi/linux/fs.h.
const NO_REPLACE: libc::c_uint = 1;

/// Renames `from` to `to`, which nothing has (renameat2(2)).
///
/// # Errors
///
/// `EEXIST` where something has it; `EINVAL` or `ENOSYS` where the file system cannot
/// tell.
pub(super) fn no_replace(from: &Path, to: &Path) -> Result<(), Errno> {
    let terminated = |path: &Path| CString::new(path.as_os_str().as_bytes());
    let (Ok(from), Ok(to)) = (terminated(from), terminated(to)) else {
        return Err(Errno::EINVAL);
    };
    // SAFETY: both paths are live, and end with a zero.
    let done = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            from.as_ptr(),
            libc::AT_FDCWD,
            to.as_ptr(),
            NO_REPLACE,
        )
    };
    Errno::result(done).map(drop)
}
