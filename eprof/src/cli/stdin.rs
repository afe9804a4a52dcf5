//! `-` for a recording: what comes on standard input.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::args::Command;
use crate::error::{Error, ErrorKind, Result};

/// Where a recording is read from twice, standard input has to be kept.
#[derive(Debug)]
pub(super) struct Kept(#[expect(dead_code, reason = "open as long as it is named")] Option<File>);

/// Replaces `-` among the recordings that `command` reads by the name of a file
/// in memory with all that comes on standard input, there for as long as the
/// result lives.
///
/// # Errors
/// If `-` is there twice, or standard input cannot be read.
pub(super) fn keep(command: &mut Command) -> Result<Kept> {
    let files = command.recordings().into_iter();
    let mut named = files.filter(|path| **path == Path::new("-"));
    let Some(path) = named.next() else {
        return Ok(Kept(None));
    };
    if named.next().is_some() {
        return Err(Error::new(
            ErrorKind::Usage,
            "standard input (-) can be one recording only",
        ));
    }
    let failed = |error: io::Error| Error::io("keep", Path::new("standard input"), &error);
    let file = memfd_create("recording", MFdFlags::MFD_CLOEXEC);
    let mut file = File::from(file.map_err(|error| failed(error.into()))?);
    io::copy(&mut io::stdin().lock(), &mut file).map_err(failed)?;
    *path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
    Ok(Kept(Some(file)))
}
