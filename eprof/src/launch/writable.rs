//! Whether a file can be written that is made only after a measurement.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, Uid, faccessat, setfsuid};

use super::as_owner::as_owner;
use super::output_file::{PRIVATE, draft_name, is_special, new_file, refused};
use super::user::UserId;
use crate::error::Result;

/// Looks whether [`replace`](super::output_file::replace) can write a file of that
/// name for `owner`. Nothing of what is there changes.
///
/// # Errors
///
/// Where the owner may not write there, or there is no such place.
pub fn check(path: &Path, owner: Option<&UserId>) -> Result<()> {
    as_owner(owner, || {
        if is_special(path)? {
            // Opened and closed, a FIFO would have ended for who reads from it.
            let effective = AtFlags::AT_EACCESS;
            return Ok(faccessat(AT_FDCWD, path, AccessFlags::W_OK, effective)?);
        }
        if is_kept_by_another(path)? {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let draft = draft_name(path);
        // One that is there is that of a dead process with the same id.
        let _ = fs::remove_file(&draft);
        new_file(&draft, PRIVATE)?;
        fs::remove_file(&draft)
    })
    .map_err(|error| refused("write", path, owner, &error))
}

/// Whether a file of another user is at `path`, in a directory from which only its
/// owner may take it (`S_ISVTX` of inode(7), as of `/tmp`).
fn is_kept_by_another(path: &Path) -> io::Result<bool> {
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let directory = fs::metadata(directory)?;
    // The call changes nothing for an id that there is not, and tells that in force.
    let own = setfsuid(Uid::from_raw(u32::MAX)).as_raw();
    Ok(directory.mode() & libc::S_ISVTX != 0
        && own != 0
        && file.uid() != own
        && directory.uid() != own)
}
