//! Directories that eprof makes: as the user whom they belong to.

use std::fs;
use std::io::{self, ErrorKind as IoErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::as_owner::as_owner;
use super::output_file::refused;
use super::user::UserId;
use crate::clock;
use crate::error::Result;

/// Only the owner may look into a directory of temporary recordings.
const PRIVATE: u32 = 0o700;

/// How often another name is tried.
const ATTEMPTS: u64 = 16;

/// Makes `path` and what is missing above it, for `owner`. What is there
/// already stays.
///
/// # Errors
///
/// Where the owner may not write there, or something else has that name.
pub fn create(path: &Path, owner: Option<&UserId>) -> Result<()> {
    as_owner(owner, || fs::create_dir_all(path))
        .map_err(|error| refused("make the directory", path, owner, &error))
}

/// Whether nobody but root can have put anything where `path` leads, or can
/// before it is used: all directories from the root down are root's alone. What
/// is missing of it, only root can make.
pub fn is_roots(path: &Path) -> bool {
    let mut existing = path;
    let found = loop {
        match fs::canonicalize(existing) {
            Ok(found) => break found,
            Err(error) if error.kind() == IoErrorKind::NotFound => match existing.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => existing = parent,
                Some(_) if existing != Path::new(".") => existing = Path::new("."),
                _ => return false,
            },
            Err(_) => return false,
        }
    };
    let Ok(absolute) = std::path::absolute(existing) else {
        return false;
    };
    // Of a link, the directory that it is in decides, too.
    let named = absolute.ancestors().skip(1).map(fs::canonicalize);
    let own = |directory: &Path| {
        fs::symlink_metadata(directory)
            .is_ok_and(|found| found.uid() == 0 && found.mode() & 0o022 == 0)
    };
    let all_own = |directory: &Path| directory.ancestors().all(own);
    all_own(&found) && { named }.all(|named| named.is_ok_and(|named| all_own(&named)))
}

/// A directory for temporary files, which goes when it is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one below the directory for temporary files (`TMPDIR`, else
    /// `/tmp`), for `owner`.
    ///
    /// # Errors
    ///
    /// Where that is not possible.
    pub fn create(name: &str, owner: Option<&UserId>) -> Result<Self> {
        let above = std::env::temp_dir();
        let make = |attempt: u64| {
            let unique = clock::now().0.wrapping_add(attempt);
            let path = above.join(format!("{name}-{}-{unique:x}", std::process::id()));
            // Fails where anything has that name, a link too.
            fs::DirBuilder::new().mode(PRIVATE).create(&path)?;
            Ok(path)
        };
        let made = as_owner(owner, || {
            let mut made = Err(io::Error::from(IoErrorKind::AlreadyExists));
            for attempt in 0..ATTEMPTS {
                made = make(attempt);
                match &made {
                    Err(error) if error.kind() == IoErrorKind::AlreadyExists => {}
                    _ => break,
                }
            }
            made
        });
        made.map(Self)
            .map_err(|error| refused("make a directory in", &above, owner, &error))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever clears away such files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn what_others_can_write_to_is_not_roots() {
        let directory = tempfile::tempdir().unwrap();
        // Anybody may make names in the directory for temporary files.
        assert!(!is_roots(directory.path()));
        assert!(!is_roots(&directory.path().join("missing/too")));
        let etc = fs::metadata("/etc").unwrap();
        let root = fs::metadata("/").unwrap();
        let roots = |of: &fs::Metadata| of.uid() == 0 && of.permissions().mode() & 0o022 == 0;
        assert_eq!(
            is_roots(Path::new("/etc/missing")),
            roots(&etc) && roots(&root)
        );
        let link = directory.path().join("link");
        symlink("/etc", &link).unwrap();
        // Where it leads is root's; that it leads there is not.
        assert!(!is_roots(&link.join("missing")));
    }
}
