//! Files that eprof writes: made as the user whom they belong to.
//!
//! Root that writes into a directory of somebody else can be led astray by a
//! link put there in the right moment. So nothing is made as root and given
//! away afterwards: a short-lived thread takes on the user's file-system
//! identity (setfsuid(2), which also gives up root's power over files), and
//! does there what the user could do with their own hands. No other thread is
//! affected, and nothing needs to be put back.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as IoErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use tracing::info;

use super::credentials::set_groups;
use super::user::UserId;
use crate::error::{Error, ErrorKind, Result};

/// Who may read a recording: its owner, as with perf.data, since it says
/// what ran when on the machine.
const PRIVATE: u32 = 0o600;

/// Who may read a picture: whom the umask lets.
const SHARED: u32 = 0o666;

/// A new file, whose older version, if any, was kept as `FILE.old`.
#[derive(Debug)]
pub struct OutputFile {
    file: File,
    path: PathBuf,
    made: bool,
    older: Option<PathBuf>,
    owner: Option<UserId>,
}

impl OutputFile {
    /// Makes `path` for `owner`. What is no regular file (`/dev/null`, a
    /// FIFO) is written to as it is.
    ///
    /// # Errors
    ///
    /// Where the owner may not write there.
    pub fn create(path: &Path, owner: Option<&UserId>) -> Result<Self> {
        let (file, made, older) = as_owner(owner, || {
            if is_special(path)? {
                return Ok((open_special(path)?, false, None));
            }
            let older = older_name(path);
            let kept = match fs::rename(path, &older) {
                Ok(()) => Some(older),
                Err(error) if error.kind() == IoErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            Ok((new_file(path, PRIVATE)?, true, kept))
        })
        .map_err(|error| refused("write", path, owner, &error))?;
        info!(?path, ?older, "opened a file to write");
        Ok(Self {
            file,
            path: path.to_owned(),
            made,
            older,
            owner: owner.cloned(),
        })
    }

    /// The file, open for reading and writing.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the older version was kept.
    pub fn older(&self) -> Option<&Path> {
        self.older.as_deref()
    }

    /// Takes the file out, to stay.
    pub fn into_file(self) -> File {
        self.file
    }

    /// Undoes the making: removes the file and puts the older version back.
    /// For a run that never began.
    ///
    /// # Errors
    ///
    /// Where that is not possible any more.
    pub fn discard(self) -> Result<()> {
        as_owner(self.owner.as_ref(), || match &self.older {
            _ if !self.made => Ok(()),
            Some(older) => fs::rename(older, &self.path),
            None => fs::remove_file(&self.path),
        })
        .map_err(|error| refused("remove", &self.path, self.owner.as_ref(), &error))
    }
}

/// Writes a whole file for `owner` in one go: readers see the old contents or
/// the new, never a half. What is no regular file is written to as it is.
///
/// # Errors
///
/// Where the owner may not write there, or the disk is full.
pub fn replace(path: &Path, owner: Option<&UserId>, contents: &[u8]) -> Result<()> {
    replaced(path, owner, SHARED, |file| {
        io::Write::write_all(file, contents)
    })
}

/// The same for a file that says what ran when, which `write` writes bit by
/// bit, as `owner`.
///
/// # Errors
///
/// As [`replace`], and what `write` said.
pub fn replace_private(
    path: &Path,
    owner: Option<&UserId>,
    write: impl FnOnce(&mut File) -> io::Result<()> + Send,
) -> Result<()> {
    replaced(path, owner, PRIVATE, write)
}

fn replaced(
    path: &Path,
    owner: Option<&UserId>,
    mode: u32,
    write: impl FnOnce(&mut File) -> io::Result<()> + Send,
) -> Result<()> {
    as_owner(owner, || {
        if is_special(path)? {
            return write(&mut open_special(path)?);
        }
        let draft = draft_name(path);
        let written = new_file(&draft, mode)
            .and_then(|mut file| write(&mut file))
            .and_then(|()| fs::rename(&draft, path));
        if written.is_err() {
            // Nothing but a draft has that name, perhaps of a dead process.
            let _ = fs::remove_file(&draft);
        }
        written
    })
    .map_err(|error| refused("write", path, owner, &error))?;
    info!(?path, "wrote a file");
    Ok(())
}

/// Opens a file for `owner` to be written to as things happen. An older one is
/// emptied. What is no regular file (`/dev/stderr`, a FIFO) is written to as it is.
///
/// The owner's file-system identity opens it, so that it is one that they could
/// write to themselves, and no link is followed: another user who may make names in
/// the same directory, such as `/tmp`, cannot have a file of the owner's emptied.
///
/// # Errors
///
/// Where the owner may not write there, or a link has that name.
pub fn log(path: &Path, owner: Option<&UserId>) -> Result<File> {
    as_owner(owner, || {
        if is_special(path)? {
            return open_special(path);
        }
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)
    })
    .map_err(|error| refused("write", path, owner, &error))
}

/// Does `work` with the file-system identity of `owner`, in a thread of its
/// own; with eprof's where there is no owner.
pub(super) fn as_owner<T: Send>(
    owner: Option<&UserId>,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let Some(owner) = owner else {
        return work();
    };
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            become_owner(owner)?;
            work()
        });
        worker
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the writing thread failed")))
    })
}

fn become_owner(owner: &UserId) -> io::Result<()> {
    set_groups(&owner.groups)?;
    let (user, group) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    setfsgid(group);
    setfsuid(user);
    // These calls return no error, but what was in force before.
    if setfsgid(group) == group && setfsuid(user) == user {
        Ok(())
    } else {
        Err(io::Error::from(IoErrorKind::PermissionDenied))
    }
}

/// Whether something other than a regular file (or a link to one, or to
/// nothing) is at `path`.
fn is_special(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::Error::from(IoErrorKind::IsADirectory)),
        Ok(found) => Ok(!found.is_file()),
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens what is no regular file to write to it. That nobody reads from a FIFO is
/// no reason to wait for somebody for ever.
fn open_special(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    let file = match opened {
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
            return Err(io::Error::other("it is a FIFO, and nobody reads from it"));
        }
        other => other?,
    };
    // Opened, it may take its time.
    let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags & !OFlag::O_NONBLOCK))?;
    Ok(file)
}

/// Makes a file that was not there, and follows no link to one that was.
fn new_file(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

/// `FILE.old`.
fn older_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".old");
    name.into()
}

/// A name beside `path` for the time of writing, of this process alone.
fn draft_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.draft", std::process::id()));
    path.with_file_name(name)
}

pub(super) fn refused(
    doing: &str,
    path: &Path,
    owner: Option<&UserId>,
    error: &io::Error,
) -> Error {
    match owner {
        Some(owner) if error.kind() == IoErrorKind::PermissionDenied => Error::new(
            ErrorKind::Permission,
            format!(
                "{} may not {doing} {}: {error}",
                owner.label(),
                path.display()
            ),
        )
        .hint("name a place where that user may write, or work as root with --as-root"),
        _ => Error::io(doing, path, error),
    }
}
