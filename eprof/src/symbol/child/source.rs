//! A file made ready for the parsers: in memory, so that nobody can change it or cut it
//! short, and with no way to other files.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::find::Places;
use super::legacy;
use super::links::Links;
use super::memory::copied;
use super::message::{Depth, Flaw};
use crate::mappings::identity::Fingerprint;
use crate::mappings::objects::{descriptor, open_plain};

/// The largest file that is looked into, in bytes: a browser's debug information has
/// about 4 GB.
const LARGEST: u64 = 16 << 30;

/// A file for the parsers.
#[derive(Debug)]
pub(super) struct Source {
    /// Where they find it, as long as this lives.
    pub(super) path: PathBuf,
    /// Whether they may look at its debug information.
    pub(super) debug: bool,
    _files: Vec<File>,
}

impl Source {
    /// Of `file`, which was at `path` when it ran, if it did.
    ///
    /// # Errors
    ///
    /// One that cannot be read, or is too large.
    pub(super) fn new(
        file: File,
        path: Option<&Path>,
        depth: Depth,
        places: &Places,
    ) -> Result<Self, Flaw> {
        let length = file.metadata().map_err(|_| Flaw::Unreadable)?.len();
        let links = Links::of(&file);
        let everything = depth == Depth::Everything;
        if length > LARGEST {
            return Err(Flaw::TooLarge);
        }
        if links.broken {
            return Err(Flaw::Broken);
        }
        if !places.memory.has_room_for(&file) {
            // It is mapped. Whoever cuts it short ends this process, and no other.
            return Ok(Self {
                path: descriptor(&file),
                debug: everything && links.is_empty(),
                _files: vec![file],
            });
        }
        if let Some(path) = path.filter(|_| everything && links.is_empty())
            && has_package(path, &file)
        {
            return Ok(Self {
                path: path.to_owned(),
                debug: true,
                _files: Vec::new(),
            });
        }
        let copy = copied(&file).map_err(|_| Flaw::Unreadable)?;
        let directory = path.and_then(Path::parent);
        let wanted = everything && links.needs_other();
        let supplement = wanted
            .then(|| places.supplement(&links, directory))
            .flatten()
            .filter(|file| places.memory.has_room_for(file))
            .and_then(|file| {
                let copy = copied(&file).ok()?;
                Links::of(&file).cut(&copy, depth, None).ok()?;
                legacy::renew(&copy).ok()?;
                Some(copy)
            });
        let name = supplement.as_ref().map(descriptor);
        let name = name.as_deref().and_then(Path::file_name);
        let name = name.and_then(|name| name.to_str());
        links
            .cut(&copy, depth, name)
            .map_err(|_| Flaw::Unreadable)?;
        if everything {
            legacy::renew(&copy).map_err(|_| Flaw::Unreadable)?;
        }
        Ok(Self {
            path: descriptor(&copy),
            // Half of it would be wrong.
            debug: everything && (!links.needs_other() || supplement.is_some()),
            _files: std::iter::once(copy).chain(supplement).collect(),
        })
    }
}

/// Whether `file` is still the one at `path`, with a package of DWARF beside it, which
/// is found by that name only.
fn has_package(path: &Path, file: &File) -> bool {
    let mut package = path.as_os_str().to_owned();
    package.push(".dwp");
    let same = || {
        let there = Fingerprint::of(&open_plain(path)?)?;
        Some(Fingerprint::of(file)?.same_file(&there))
    };
    path.is_absolute() && open_plain(Path::new(&package)).is_some() && same() == Some(true)
}
