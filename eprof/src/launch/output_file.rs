//! Files that eprof writes: made as the user whom they belong to.
//!
//! Root that writes into a directory of somebody else can be led astray by a
//! link put there in the right moment. So nothing is made as root and given
//! away afterwards: a short-lived thread takes on the user's file-system
//! identity (setfsuid(2), which also gives up root's power over files), and
//! does there what the user could do with their own hands. No other thread is
//! affected, and nothing needs to be put back.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind as IoErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tracing::info;

use super::as_owner::as_owner;
use super::rename;
use super::user::UserId;
use crate::error::{Error, ErrorKind, Result};

/// Who may read a recording: its owner, as with perf.data, since it says
/// what ran when on the machine.
pub(super) const PRIVATE: u32 = 0o600;

/// Who may read a picture: whom the umask lets.
const SHARED: u32 = 0o666;

/// How often a name is cleared anew that another run took meanwhile.
const ATTEMPTS: usize = 64;

/// How many names for what is moved out of the way are tried.
const PLACES: usize = 64;

/// Tells a file whose end is missing, so that it may make room for another one.
pub type IsUnfinished = fn(&File) -> bool;

/// A new file, which takes its name when it is worth it.
///
/// Until then it is a draft, and an older file of that name stays where it is.
/// [`publish`](Self::publish) moves the older one to `FILE.old`. A file without an
/// end never takes the place of one that has its end, and none that a run still
/// writes (it is locked) is replaced: they go to `FILE.part`, `FILE.part.2`, ….
#[derive(Debug)]
pub struct OutputFile {
    file: Arc<File>,
    path: PathBuf,
    place: Place,
    older: Option<PathBuf>,
    owner: Option<UserId>,
}

/// Under which name an [`OutputFile`] is.
#[derive(Debug)]
enum Place {
    /// It was there before, and is no regular file.
    Special,
    /// Under a name of its own.
    Draft(PathBuf),
    /// Under the one that was asked for.
    Published,
}

impl OutputFile {
    /// Makes the draft of `path` for `owner`. What is no regular file
    /// (`/dev/null`, a FIFO) is written to as it is.
    ///
    /// # Errors
    ///
    /// Where the owner may not write there.
    pub fn create(path: &Path, owner: Option<&UserId>) -> Result<Self> {
        let (file, place) = as_owner(owner, || {
            if is_special(path)? {
                return Ok((open_special(path)?, Place::Special));
            }
            sweep_drafts(path);
            let draft = draft_name(path);
            let file = new_file(&draft, PRIVATE)?;
            // It shows other runs that this one goes on. Some file systems have no
            // locks: then they take it for one that was cut off.
            let _ = file.try_lock();
            Ok((file, Place::Draft(draft)))
        })
        .map_err(|error| refused("write", path, owner, &error))?;
        info!(?path, ?place, "opened a file to write");
        Ok(Self {
            file: Arc::new(file),
            path: path.to_owned(),
            place,
            older: None,
            owner: owner.cloned(),
        })
    }

    /// The file, open for writing, and for reading where it is a regular one.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// What it is to be called.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the older version was kept.
    pub fn older(&self) -> Option<&Path> {
        self.older.as_deref()
    }

    /// Whether it is a regular file, which can be read again.
    pub fn is_regular(&self) -> bool {
        !matches!(self.place, Place::Special)
    }

    /// Gives the file its name, and moves what has it out of the way.
    ///
    /// # Errors
    ///
    /// Where that is not possible (any more); then an older file keeps its name.
    pub fn publish(&mut self, is_unfinished: IsUnfinished) -> Result<()> {
        let Place::Draft(draft) = &self.place else {
            return Ok(());
        };
        let path = &self.path;
        let older = as_owner(self.owner.as_ref(), || {
            for _ in 0..ATTEMPTS {
                let older = make_way(path, is_unfinished)?;
                match rename_new(draft, path) {
                    // Another run was faster.
                    Err(error) if error.kind() == IoErrorKind::AlreadyExists => {}
                    Err(error) => {
                        if let Some(older) = &older {
                            let _ = rename_new(older, path);
                        }
                        return Err(error);
                    }
                    Ok(()) => return Ok(older),
                }
            }
            Err(io::Error::from(IoErrorKind::AlreadyExists))
        })
        .map_err(|error| refused("write", path, self.owner.as_ref(), &error))?;
        info!(?path, ?older, "a file has its name");
        self.older = older;
        self.place = Place::Published;
        Ok(())
    }

    /// Where the file is now: another run may have moved it. `None` where it
    /// has no name that eprof would give it.
    pub fn whereabouts(&self) -> Option<PathBuf> {
        let path = match self.place {
            Place::Special => return Some(self.path.clone()),
            Place::Draft(_) => return None,
            Place::Published => &self.path,
        };
        let own = self.file.metadata().ok()?;
        let is_own = |name: &PathBuf| {
            fs::symlink_metadata(name)
                .is_ok_and(|found| (found.dev(), found.ino()) == (own.dev(), own.ino()))
        };
        std::iter::once(path.clone())
            .chain(places(path))
            .find(is_own)
    }
}

impl Drop for OutputFile {
    /// Removes a draft that took no name.
    fn drop(&mut self) {
        if let Place::Draft(draft) = &self.place {
            // Whoever makes the next draft removes it, should this fail.
            let _ = as_owner(self.owner.as_ref(), || fs::remove_file(draft));
        }
    }
}

/// What may be done with a file that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    /// A run still writes it.
    Live,
    /// It is no recording, or a whole one.
    Whole,
    /// Its end is missing.
    Unfinished,
}

/// What is at `path`; `None` where nothing is.
fn worth(path: &Path, is_unfinished: IsUnfinished) -> io::Result<Option<Worth>> {
    let file = match open_to_read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == IoErrorKind::NotFound => {
            // A link to nothing is something, too.
            return Ok(fs::symlink_metadata(path).is_ok().then_some(Worth::Whole));
        }
        Err(error) if error.kind() == IoErrorKind::PermissionDenied => {
            return Ok(Some(Worth::Whole));
        }
        Err(error) => return Err(error),
    };
    Ok(Some(match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Worth::Live,
        _ if file.metadata()?.is_file() && is_unfinished(&file) => Worth::Unfinished,
        _ => Worth::Whole,
    }))
}

/// Opens what may be anything by now, without waiting for anybody.
fn open_to_read(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

/// Moves what is at `path` to another name, which it tells.
fn make_way(path: &Path, is_unfinished: IsUnfinished) -> io::Result<Option<PathBuf>> {
    let Some(here) = worth(path, is_unfinished)? else {
        return Ok(None);
    };
    for (number, place) in places(path).enumerate() {
        let free = match worth(&place, is_unfinished)? {
            None | Some(Worth::Unfinished) => true,
            // Only the last whole one is kept.
            Some(Worth::Whole) => here == Worth::Whole && number == 0,
            Some(Worth::Live) => false,
        };
        if free {
            return match fs::rename(path, &place) {
                Ok(()) => Ok(Some(place)),
                Err(error) if error.kind() == IoErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            };
        }
    }
    Err(io::Error::new(
        IoErrorKind::AlreadyExists,
        "too many recordings without an end are beside it",
    ))
}

/// The names for what made way: `FILE.old`, `FILE.part`, `FILE.part.2`, ….
fn places(path: &Path) -> impl Iterator<Item = PathBuf> {
    let with = move |suffix: String| {
        let mut name = OsString::from(path);
        name.push(suffix);
        PathBuf::from(name)
    };
    (0..PLACES).map(move |number| {
        with(match number {
            0 => ".old".to_owned(),
            1 => ".part".to_owned(),
            more => format!(".part.{more}"),
        })
    })
}

/// Renames to a name that nothing has.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename::no_replace(from, to) {
        // The file system cannot tell (NFS, some FUSE).
        Err(Errno::EINVAL | Errno::ENOSYS) => fs::rename(from, to),
        other => other.map_err(io::Error::from),
    }
}

/// Removes the drafts of `path` that runs left behind that were killed before
/// they had measured anything.
fn sweep_drafts(path: &Path) {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.filter_map(io::Result::ok) {
        if !is_draft_of(path, &entry.file_name()) {
            continue;
        }
        let draft = entry.path();
        let dead = fs::symlink_metadata(&draft).is_ok_and(|found| found.is_file())
            && open_to_read(&draft).is_ok_and(|file| file.try_lock_shared().is_ok());
        if dead {
            // Another run may have been faster.
            let _ = fs::remove_file(&draft);
        }
    }
}

/// Whether `name` is one that [`draft_name`] gives for `path` in some process.
fn is_draft_of(path: &Path, name: &std::ffi::OsStr) -> bool {
    let Some(file) = path.file_name().and_then(|file| file.to_str()) else {
        return false;
    };
    name.to_str()
        .and_then(|name| {
            name.strip_prefix('.')?
                .strip_prefix(file)?
                .strip_prefix('.')
        })
        .and_then(|rest| rest.strip_suffix(".draft"))
        .is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()))
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

/// Whether something other than a regular file (or a link to one, or to
/// nothing) is at `path`.
pub(super) fn is_special(path: &Path) -> io::Result<bool> {
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
pub(super) fn new_file(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

/// A name beside `path` for the time of writing, of this process alone.
pub(super) fn draft_name(path: &Path) -> PathBuf {
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
