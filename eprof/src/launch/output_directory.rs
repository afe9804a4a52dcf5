//! Directories that eprof makes: as the user whom they belong to.

use std::fs;
use std::io::{self, ErrorKind as IoErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
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
