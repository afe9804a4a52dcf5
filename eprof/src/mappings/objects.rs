//! The files that code was mapped from, held open while they are still there.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::identity::{Fingerprint, Identity};
use super::vdso;
use crate::clock::wall_clock;
use crate::kernel::Mapping;
use crate::measurement::{Object, ObjectId};

/// The most files that are held open at a time.
const MOST_HELD: usize = 8192;

/// How often an object that could not be opened is tried again, when another
/// process maps it.
const TRIES: u8 = 8;

/// The name of the kernel's code page in user space.
const VDSO: &str = "[vdso]";

/// The same in 32-bit processes, as perf names it. It is another image, of
/// which eprof has no copy.
const VDSO_32: &str = "[vdso32]";

/// Where the addresses of 32-bit processes end.
const END_OF_32_BIT: u64 = 1 << 32;

/// Every file that code was mapped from, in order of appearance.
///
/// A file is opened when it is first seen, and held: after the run it may be
/// deleted, replaced, or in a mount namespace that is gone. It is accepted
/// only if it is the file that was mapped, by build id or inode; an object
/// whose file was not found stays without symbols.
#[derive(Debug)]
pub struct Objects {
    objects: Vec<Object>,
    entries: Vec<Entry>,
    /// `None`: memory without a file.
    index: HashMap<Key, Option<ObjectId>>,
    held: usize,
    capacity: usize,
    clock: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    path: String,
    identity: Identity,
}

#[derive(Debug)]
struct Entry {
    identity: Identity,
    backing: Backing,
    /// When the object was last mapped, on `Objects::clock`.
    used: u64,
}

#[derive(Debug)]
enum Backing {
    /// The file, open.
    Held(File, Fingerprint),
    /// Closed again to save descriptors; where it was found, and what it was.
    Closed(PathBuf, Fingerprint),
    /// Not found so far, after this many tries.
    Missing(u8),
    /// The kernel's own page.
    Vdso,
}

impl Default for Objects {
    fn default() -> Self {
        // A quarter of what is allowed: eprof needs descriptors for rings,
        // meters and outputs too.
        let allowed = getrlimit(Resource::RLIMIT_NOFILE).map_or(256, |(soft, _)| soft);
        Self::holding(usize::try_from(allowed / 4).unwrap_or(MOST_HELD))
    }
}

impl Objects {
    /// Holds at most `capacity` files open before it asks for more.
    pub(crate) fn holding(capacity: usize) -> Self {
        Self {
            objects: Vec::new(),
            entries: Vec::new(),
            index: HashMap::new(),
            held: 0,
            capacity: capacity.clamp(1, MOST_HELD),
            clock: 0,
        }
    }

    /// All objects so far; the position is the id. Grows at the end only, and
    /// no two are equal.
    pub fn list(&self) -> &[Object] {
        &self.objects
    }

    /// The object that `mapping` maps; `None` for executable memory without a
    /// file. To be called as soon as the mapping is known: the process, and
    /// with it the way to its file, may be gone soon.
    pub fn intern(&mut self, mapping: &Mapping) -> Option<ObjectId> {
        if is_anonymous(&mapping.path) {
            return None;
        }
        let path = match mapping.path.as_str() {
            VDSO if mapping.end <= END_OF_32_BIT && cfg!(target_pointer_width = "64") => VDSO_32,
            path => path,
        };
        let key = Key {
            path: path.to_owned(),
            identity: identity(mapping),
        };
        self.clock += 1;
        match self.index.get(&key) {
            Some(&Some(id)) => {
                self.seen_again(id, mapping);
                Some(id)
            }
            Some(None) => None,
            None => {
                let id = self.add(&key, mapping);
                self.index.insert(key, id);
                id
            }
        }
    }

    fn add(&mut self, key: &Key, mapping: &Mapping) -> Option<ObjectId> {
        let length = mapping.end.saturating_sub(mapping.start);
        let backing = if key.path == VDSO && vdso::vdso_length() == Some(length) {
            Backing::Vdso
        } else {
            match open(mapping, &key.identity) {
                Some((file, fingerprint)) => Backing::Held(file, fingerprint),
                None => Backing::Missing(1),
            }
        };
        let found = match &backing {
            Backing::Held(_, fingerprint) => Some(fingerprint),
            _ => None,
        };
        // Run-time compilers map a memory file twice, to write and to execute.
        // A program may be started from one too.
        if key.path.starts_with("/memfd:") && !found.is_some_and(|file| file.elf) {
            return None;
        }
        let build_id = match &key.identity {
            Identity::BuildId(id) => Some(id.clone()),
            _ => found.and_then(|file| file.build_id.clone()),
        };
        // The same file may come with its build id in one record, and with its inode
        // in another where the kernel could not read the build id.
        if let Some(id) = build_id.clone().map(Identity::BuildId) {
            let alias = Key {
                path: key.path.clone(),
                identity: id,
            };
            if alias != *key {
                if let Some(&known) = self.index.get(&alias) {
                    return known;
                }
                self.index.insert(alias, Some(self.next_id()));
            }
        }
        let id = self.next_id();
        if matches!(backing, Backing::Held(..)) {
            self.make_room();
            self.held += 1;
        }
        let mut object = Object {
            path: key.path.clone(),
            build_id,
        };
        if object.build_id.is_none() && self.objects.contains(&object) {
            // Another file at the same path, without a build id to tell them
            // apart.
            let Identity::Inode(inode) = key.identity else {
                return None;
            };
            object.path = format!("{} (inode {})", object.path, inode.number);
        }
        self.objects.push(object);
        self.entries.push(Entry {
            identity: key.identity.clone(),
            backing,
            used: self.clock,
        });
        Some(id)
    }

    fn next_id(&self) -> ObjectId {
        ObjectId(u32::try_from(self.objects.len()).unwrap_or(u32::MAX))
    }

    /// Notes the use of a known object, and tries again to find its file where
    /// it was missed.
    fn seen_again(&mut self, id: ObjectId, mapping: &Mapping) {
        let Some(entry) = self.entries.get_mut(id.0 as usize) else {
            return;
        };
        entry.used = self.clock;
        let Backing::Missing(tries) = &mut entry.backing else {
            return;
        };
        if *tries >= TRIES {
            return;
        }
        *tries += 1;
        if let Some((file, fingerprint)) = open(mapping, &entry.identity) {
            entry.backing = Backing::Held(file, fingerprint);
            self.make_room();
            self.held += 1;
        }
    }

    /// Makes room for one more open file: by a higher limit, or by closing the
    /// file that was not mapped for the longest time.
    fn make_room(&mut self) {
        if self.held < self.capacity {
            return;
        }
        self.capacity = self.capacity.max(raised_limit());
        while self.held >= self.capacity {
            let oldest = self
                .entries
                .iter_mut()
                .filter(|entry| matches!(entry.backing, Backing::Held(..)))
                .min_by_key(|entry| entry.used);
            let Some(entry) = oldest else { return };
            if let Backing::Held(file, fingerprint) = &entry.backing {
                let path = std::fs::read_link(descriptor(file)).unwrap_or_default();
                entry.backing = Backing::Closed(path, fingerprint.clone());
            }
            self.held -= 1;
        }
    }

    /// Whether the code of `id` is a program's or a library's, as far as that is
    /// known: an ELF file that says itself what of it is mapped where.
    pub(crate) fn is_program(&self, id: ObjectId) -> bool {
        match self.entries.get(id.0 as usize).map(|entry| &entry.backing) {
            Some(Backing::Held(_, file) | Backing::Closed(_, file)) => file.elf,
            _ => true,
        }
    }

    /// The file of `id` itself, which the target may still have written to
    /// after it was mapped.
    pub(crate) fn growing(&self, id: ObjectId) -> Option<File> {
        match &self.entries.get(id.0 as usize)?.backing {
            Backing::Held(file, _) => file.try_clone().ok(),
            Backing::Closed(path, was) => open_plain(path)
                .filter(|file| Fingerprint::of(file).is_some_and(|now| was.same_inode(&now))),
            Backing::Missing(_) | Backing::Vdso => None,
        }
    }

    /// The file of `id`, or a copy of what stands for it, open, at a position of its
    /// own; `None` where it is gone, or is not what was mapped any more.
    pub(crate) fn open(&self, id: ObjectId) -> Option<File> {
        let (file, was) = match &self.entries.get(id.0 as usize)?.backing {
            Backing::Held(file, was) => (open_plain(&descriptor(file))?, was),
            Backing::Closed(path, was) => (open_plain(path)?, was),
            Backing::Vdso => return vdso::vdso(),
            Backing::Missing(_) => return None,
        };
        Fingerprint::of(&file)
            .is_some_and(|now| was.still(&now))
            .then_some(file)
    }
}

/// The path under which this process reaches an open file, deleted or not.
pub(crate) fn descriptor(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Names of memory that is no file, as the kernel makes them up
/// (`perf_event_mmap_event`, mm/shmem.c, ipc/shm.c).
fn is_anonymous(path: &str) -> bool {
    (path.starts_with('[') && path != VDSO)
        || path.starts_with("//anon")
        || path.starts_with("/anon_hugepage")
        || path.starts_with("anon_inode:")
        || path.starts_with("/dev/zero")
        || path.starts_with("/SYSV")
        || path.is_empty()
}

fn identity(mapping: &Mapping) -> Identity {
    match (&mapping.build_id, mapping.inode) {
        (Some(id), _) => Identity::BuildId(id.clone()),
        (None, Some(inode)) => Identity::Inode(inode),
        (None, None) => Identity::Unknown,
    }
}

/// Opens the file of `mapping`: through the mapping itself, which even finds a
/// deleted file but needs privilege and the process alive with the mapping
/// unchanged; by its path as the process sees it; by its path here.
fn open(mapping: &Mapping, identity: &Identity) -> Option<(File, Fingerprint)> {
    let Mapping {
        pid, start, end, ..
    } = mapping;
    let through = PathBuf::from(format!("/proc/{pid}/map_files/{start:x}-{end:x}"));
    let seen = PathBuf::from(format!("/proc/{pid}/root{}", mapping.path));
    let here = Path::new(&mapping.path);
    let absolute = here.is_absolute();
    let mapped = wall_clock(mapping.at);
    let candidates = [
        (through.as_path(), true),
        (seen.as_path(), false),
        (here, false),
    ];
    candidates
        .into_iter()
        .filter(|&(_, same_mapping)| same_mapping || absolute)
        .find_map(|(path, same_mapping)| {
            let file = open_plain(path)?;
            let fingerprint = Fingerprint::of(&file)?;
            fingerprint
                .is(identity, mapped, same_mapping)
                .then_some((file, fingerprint))
        })
}

/// Opens a regular file, and nothing else: by now anything may be at the path, a FIFO
/// or a device, on which opening alone may have an effect. So it is looked at first,
/// and what was looked at is opened.
pub(crate) fn open_plain(path: &Path) -> Option<File> {
    let found = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
        .open(path)
        .ok()?;
    found.metadata().ok()?.is_file().then_some(())?;
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(descriptor(&found))
        .ok()
}

/// Raises the limit of open files to what is allowed; returns how many of them
/// objects may take. The target has been started by then and keeps its own.
fn raised_limit() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 0;
    };
    let soft = if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        hard
    } else {
        soft
    };
    usize::try_from(soft / 2).map_or(MOST_HELD, |half| half.min(MOST_HELD))
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
