//! Where files are looked for by their build id: the only name that cannot
//! mean another file.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::debuginfod::Client;
use crate::caveat::Caveat;
use crate::mappings::identity::{Fingerprint, hex};
use crate::mappings::objects::open_plain;

/// Where distributions install separate debug files.
const DEBUG_DIRECTORIES: [&str; 2] = ["/usr/lib/debug", "/usr/local/lib/debug"];

/// Where debug information is looked for that is not in the file itself.
#[derive(Debug, Default)]
pub struct Search {
    directories: Vec<PathBuf>,
    debuginfod: Option<Client>,
}

impl Search {
    /// In `directories`, then where distributions put debug files, then, if
    /// `DEBUGINFOD_URLS` is set, on debuginfod servers.
    pub fn of_environment(directories: &[PathBuf]) -> Self {
        Self {
            debuginfod: Client::of_environment(),
            ..Self::local(directories)
        }
    }

    /// In `directories`, then where distributions put debug files.
    pub fn local(directories: &[PathBuf]) -> Self {
        let system = DEBUG_DIRECTORIES.iter().map(PathBuf::from);
        Self {
            directories: directories.iter().cloned().chain(system).collect(),
            debuginfod: None,
        }
    }

    /// A local file with the debug information of the object with `build_id`.
    pub(super) fn debug_file(&self, build_id: &[u8]) -> Option<PathBuf> {
        let name = format!("{}.debug", split(build_id)?);
        let places = self.directories.iter();
        places
            .flat_map(|directory| {
                let below = directory.join(".build-id").join(&name);
                [below, directory.join(&name)]
            })
            .find(|path| has(path, build_id))
    }

    /// A local file that is the object with `build_id` itself, which was at
    /// `path` when it ran.
    pub(super) fn object(&self, path: &str, build_id: &[u8]) -> Option<PathBuf> {
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
        places
            .chain(path.is_absolute().then(|| path.to_owned()))
            .find(|path| has(path, build_id))
    }

    /// A file with the debug information of the object with `build_id`, from
    /// a server if need be.
    pub(super) fn fetched(&self, build_id: &[u8]) -> Option<PathBuf> {
        let path = self.debuginfod.as_ref()?.debug_file(build_id)?;
        has(&path, build_id).then_some(path)
    }

    /// How many bytes were fetched from servers so far.
    pub(super) fn fetched_bytes(&self) -> u64 {
        self.debuginfod.as_ref().map_or(0, Client::fetched)
    }

    /// What went wrong with the servers.
    pub(super) fn caveat(&self) -> Option<Caveat> {
        self.debuginfod.as_ref()?.caveat()
    }
}

/// `ab/cdef…`, as files are named by their build id.
fn split(build_id: &[u8]) -> Option<String> {
    let (first, rest) = build_id.split_first()?;
    (!rest.is_empty()).then(|| format!("{first:02x}/{}", hex(rest)))
}

/// Whether the file at `path` has `build_id`.
fn has(path: &Path, build_id: &[u8]) -> bool {
    let fingerprint = |file: File| Fingerprint::of(&file);
    open_plain(path)
        .and_then(fingerprint)
        .and_then(|fingerprint| fingerprint.build_id)
        .is_some_and(|id| id == build_id)
}
