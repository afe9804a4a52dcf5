//! Where files are looked for: by their build id, the only name that cannot mean
//! another file, or by a link with a checksum.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::links::{self, Links};
use super::memory::{Memory, checksum};
use crate::mappings::identity::{Fingerprint, hex};
use crate::mappings::objects::open_plain;

/// Where debug files are.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) directories: Vec<PathBuf>,
    /// How much may be kept in memory.
    pub(super) memory: Memory,
}

impl Places {
    /// A file with the debug information of the object with `build_id`.
    pub(super) fn debug_file(&self, build_id: &[u8]) -> Option<File> {
        let name = format!("{}.debug", split(build_id)?);
        let places = self.directories.iter().flat_map(|directory| {
            let below = directory.join(".build-id").join(&name);
            [below, directory.join(&name)]
        });
        first(places, build_id)
    }

    /// The object with `build_id` itself, which was at `path` when it ran.
    pub(super) fn object(&self, path: &str, build_id: &[u8]) -> Option<File> {
        let path = Path::new(path.strip_suffix(" (deleted)").unwrap_or(path));
        let below = path.strip_prefix("/").ok();
        let name = path.file_name().map(Path::new);
        let id = split(build_id);
        let id = id.as_deref().map(Path::new);
        let places = self.directories.iter().flat_map(|directory| {
            let plain = [below, name].into_iter().flatten();
            let plain = plain.map(|path| directory.join(path));
            let by_id = id.map(|id| directory.join(".build-id").join(id));
            plain.chain(by_id)
        });
        let itself = path.is_absolute().then(|| path.to_owned());
        first(places.chain(itself), build_id)
    }

    /// The debug information that `object`, which was at `path`, names by a debug
    /// link: beside it, in `.debug` there, or below a directory of debug files, as gdb
    /// looks for it. Known by its checksum, for which all of it is read.
    pub(super) fn linked(&self, object: &File, links: &Links, path: &str) -> Option<File> {
        let (name, sum) = links.debug()?;
        let path = Path::new(path);
        let directory = path.is_absolute().then(|| path.parent()).flatten()?;
        let directory = directory.canonicalize().ok();
        let directory = directory.as_deref();
        let beside = directory
            .into_iter()
            .flat_map(|directory| [directory.join(name), directory.join(".debug").join(name)]);
        let below = self.directories.iter().flat_map(|debug| {
            let same = directory.and_then(|directory| directory.strip_prefix("/").ok());
            let same = same.map(|directory| debug.join(directory).join(name));
            same.into_iter().chain([debug.join(name)])
        });
        let own = Fingerprint::of(object);
        beside.chain(below).find_map(|path| {
            let file = open_plain(&path)?;
            let found = Fingerprint::of(&file)?;
            let other = !own.as_ref().is_some_and(|own| own.same_inode(&found));
            let small = self.memory.has_room_for(&file);
            let right = found.elf && other && small && checksum(&file).ok()? == sum;
            right.then_some(file)
        })
    }

    /// The file that `links`, those of a file that is in `directory`, name as what
    /// several files share.
    pub(super) fn supplement(&self, links: &Links, directory: Option<&Path>) -> Option<File> {
        let (path, build_id) = links.supplement()?;
        let by_id = self.debug_file(build_id);
        by_id.or_else(|| {
            let path = Path::new(path);
            let path = match directory {
                _ if path.is_absolute() => path.to_owned(),
                Some(directory) => directory.join(path),
                None => return None,
            };
            let file = open_plain(&path)?;
            (links::section_id(&file)? == build_id).then_some(file)
        })
    }
}

/// `ab/cdef…`, as files are named by their build id.
fn split(build_id: &[u8]) -> Option<String> {
    let (first, rest) = build_id.split_first()?;
    (!rest.is_empty()).then(|| format!("{first:02x}/{}", hex(rest)))
}

fn first(mut places: impl Iterator<Item = PathBuf>, build_id: &[u8]) -> Option<File> {
    places.find_map(|path| with_id(&path, build_id))
}

/// The file at `path`, if it has `build_id`.
pub(super) fn with_id(path: &Path, build_id: &[u8]) -> Option<File> {
    let file = open_plain(path)?;
    let found = Fingerprint::of(&file)?.build_id?;
    (found == build_id).then_some(file)
}
