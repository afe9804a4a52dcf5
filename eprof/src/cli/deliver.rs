//! Where output goes that may be a file of the caller's.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use super::say::say;
use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::launch::{Identity, RunAs, output_directory, output_file, writable};
use crate::output;

/// Writes `bytes` to the file at `path`, which will be the caller's also under
/// sudo; without one, or to `-`, to stdout.
pub(super) fn deliver(path: Option<&Path>, bytes: &[u8]) -> Result<()> {
    let Some(path) = path.filter(|path| *path != Path::new("-")) else {
        return output::ignore_broken_pipe(io::stdout().write_all(bytes));
    };
    let owner = Identity::resolve(&RunAs::Caller)?.files;
    output_file::replace(path, owner.as_ref(), bytes)
}

/// Refuses now what [`deliver`] could not write after a measurement.
pub(super) fn check(path: Option<&Path>) -> Result<()> {
    let Some(path) = path.filter(|path| *path != Path::new("-")) else {
        return Ok(());
    };
    let owner = Identity::resolve(&RunAs::Caller)?.files;
    writable::check(path, owner.as_ref())
}

/// Refuses now what [`deliver_anywhere`] could not write after a measurement.
pub(super) fn check_anywhere(path: &Path) -> Result<()> {
    // Directories that are missing are made when there is something to put there.
    let directory = directory_of(path);
    if !directory.exists() {
        return Ok(());
    }
    let caller = Identity::resolve(&RunAs::Caller)?.files;
    let owner = caller.filter(|_| !output_directory::is_roots(directory));
    writable::check(path, owner.as_ref())
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// Writes `bytes` to the file at `path`, and makes the directories above it: as the
/// caller also under sudo, unless all of these are root's alone, where the caller
/// could not, and nobody else can have put a link in the way.
pub(super) fn deliver_anywhere(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = directory_of(path);
    let caller = Identity::resolve(&RunAs::Caller)?.files;
    let owner = caller.filter(|_| !output_directory::is_roots(directory));
    output_directory::create(directory, owner.as_ref())?;
    output_file::replace(path, owner.as_ref(), bytes)
}

/// Writes bit by bit a file that says what ran when: the caller's also under
/// sudo, and for no others. Where `write` fails, an older file stays.
pub(super) fn deliver_private<T: Send>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<T> + Send,
) -> Result<T> {
    let owner = Identity::resolve(&RunAs::Caller)?.files;
    let mut result = None;
    let replaced = output_file::replace_private(path, owner.as_ref(), |file| {
        let written = result.insert(write(file));
        let failed = || io::Error::other("the file is not whole");
        written.as_ref().map(drop).map_err(|_| failed())
    });
    match result {
        Some(Ok(value)) => replaced.map(|()| value),
        Some(Err(error)) => Err(error),
        None => Err(replaced
            .err()
            .unwrap_or_else(|| Error::new(ErrorKind::Internal, "nothing was written"))),
    }
}

/// Says what is missing of the recording in the file at `path`.
pub(super) fn warn(path: &Path, caveats: &[Caveat]) {
    for caveat in caveats {
        say(format_args!(
            "warning: {}: {}",
            path.display(),
            caveat.sentence
        ));
    }
}
