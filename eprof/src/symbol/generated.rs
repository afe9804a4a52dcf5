//! Code made at run time: which processes have it, and where their run-time
//! compilers write down its names.
//!
//! A compiler names its code in `/tmp/perf-PID.map` or in a jitdump file that
//! it maps. Both have names that the process itself chose the place of: in its
//! mount namespace, with the process id of its PID namespace. What is needed
//! to find them is taken down while the process lives.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::wall_clock;
use crate::kernel::Mapping;
use crate::mappings::objects::{Objects, descriptor};
use crate::measurement::{FrameId, ObjectId, Symbol, Task, TaskId};
use crate::symbol::named::Named;
use crate::symbol::ranges::Wanted;
use crate::symbol::{jitdump, perf_map};

/// How many perf maps are held open at most; the others are looked for at the
/// end only.
const MOST_HELD: usize = 128;

/// How many directories for temporary files are held open at most: one per
/// mount namespace.
const MOST_PLACES: usize = 64;

/// Most mappings of such files of one process.
const MOST_PLACED: usize = 1 << 14;

/// Through how many forks names are inherited at most.
const MOST_FORKS: usize = 64;

/// How much earlier than the first code a perf map may have been written: the
/// clock of a file system is as coarse as the timer tick.
const COARSE: Duration = Duration::from_secs(1);

/// The processes of the target that make code at run time.
#[derive(Debug, Default)]
pub(super) struct Compilers {
    /// By the leader, as a task instance.
    processes: BTreeMap<TaskId, Compiler>,
    /// By device and inode.
    places: HashMap<(u64, u64), Arc<File>>,
    held: usize,
}

/// A process that makes code at run time.
#[derive(Debug)]
struct Compiler {
    /// As eprof sees it.
    pid: u32,
    /// Whose code it began with, by a fork.
    parent: Option<TaskId>,
    /// When its first code was mapped, since 1970.
    since: Duration,
    /// `None`: the process was gone before it was looked at.
    own: Option<Own>,
    map: Option<File>,
    /// Batches of events until the map is looked for again, and how often it was.
    countdown: u32,
    tries: u32,
    dumps: Vec<ObjectId>,
    files: Vec<Placed>,
}

/// Code that was compiled ahead of time, in a file that is no program (of .NET, of
/// wasmtime).
#[derive(Debug)]
struct Placed {
    object: ObjectId,
    start: u64,
    end: u64,
    /// Of the byte at `start` in the file.
    offset: u64,
}

/// What only the living process tells.
#[derive(Debug)]
struct Own {
    /// Its id in its own PID namespace.
    pid: u32,
    user: u32,
    /// Its `/tmp`.
    tmp: Arc<File>,
}

/// What became of a look-up.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whether there was any file with names.
    pub(super) any: bool,
    /// Whether one was too long to be read to its end.
    pub(super) cut: bool,
    /// How many of the addresses had several names one after the other.
    pub(super) reused: usize,
}

impl Compilers {
    /// A thread was created; `parent` is the leader of the process that
    /// it was forked from.
    pub(super) fn created(&mut self, task: &Task, parent: Option<TaskId>) {
        let forked = task.generation == 0 && task.tid == task.pid;
        let Some(parent) = parent.filter(|_| forked) else {
            return;
        };
        if self.processes.contains_key(&parent) {
            let compiler = self.open(task.pid, wall_clock(task.began));
            let parent = Some(parent);
            let compiler = Compiler { parent, ..compiler };
            self.processes.entry(task.id).or_insert(compiler);
        }
    }

    /// Code was mapped into the process led by `process`.
    /// `objects` knows its file.
    pub(super) fn mapped(
        &mut self,
        process: TaskId,
        mapping: &Mapping,
        object: Option<ObjectId>,
        objects: &Objects,
    ) {
        let dump = object.filter(|_| is_dump(&mapping.path));
        let file = object.filter(|&object| dump.is_none() && !objects.is_program(object));
        if object.is_some() && dump.is_none() && file.is_none() {
            return;
        }
        if !self.processes.contains_key(&process) {
            let compiler = self.open(mapping.pid, wall_clock(mapping.at));
            self.processes.insert(process, compiler);
        }
        if let (Some(compiler), Some(dump)) = (self.processes.get_mut(&process), dump)
            && !compiler.dumps.contains(&dump)
        {
            compiler.dumps.push(dump);
        }
        if let (Some(compiler), Some(object)) = (self.processes.get_mut(&process), file)
            && compiler.files.len() < MOST_PLACED
        {
            compiler.files.push(Placed {
                object,
                start: mapping.start,
                end: mapping.end,
                offset: mapping.offset,
            });
        }
    }

    fn open(&mut self, pid: u32, since: Duration) -> Compiler {
        Compiler {
            pid,
            parent: None,
            since,
            own: self.own(pid),
            map: None,
            countdown: 0,
            tries: 0,
            dumps: Vec::new(),
            files: Vec::new(),
        }
    }

    fn own(&mut self, pid: u32) -> Option<Own> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            // NSpid ends with the innermost namespace, Uid begins with the
            // real, then the effective user (proc_pid_status(5)).
            Some(line.split_whitespace().filter_map(|word| word.parse().ok()))
        };
        let own_pid: u32 = field("NSpid:")?.next_back()?;
        let user: u32 = field("Uid:")?.nth(1)?;
        let tmp = directory(Path::new(&format!("/proc/{pid}/root/tmp")))?;
        let metadata = tmp.metadata().ok()?;
        let key = (metadata.dev(), metadata.ino());
        let tmp = match self.places.get(&key) {
            Some(known) => Arc::clone(known),
            None if self.places.len() < MOST_PLACES => {
                let tmp = Arc::new(tmp);
                self.places.insert(key, Arc::clone(&tmp));
                tmp
            }
            None => return None,
        };
        let pid = own_pid;
        Some(Own { pid, user, tmp })
    }

    /// Opens the perf maps that exist by now, so that they can be read when
    /// they are deleted. To be called after each batch of events; the tries
    /// become rarer.
    pub(super) fn open_maps(&mut self) {
        for compiler in self.processes.values_mut() {
            if compiler.map.is_some() || self.held >= MOST_HELD {
                continue;
            }
            if compiler.countdown > 0 {
                compiler.countdown -= 1;
                continue;
            }
            compiler.tries = compiler.tries.saturating_add(1);
            compiler.countdown = compiler.tries / 4;
            compiler.map = compiler.own.as_ref().and_then(Own::map);
            self.held += usize::from(compiler.map.is_some());
        }
    }

    /// Looks up what is `wanted` in the code of the process led by `process`
    /// and, below it, of those that it was forked from.
    pub(super) fn look_up(&self, process: TaskId, objects: &Objects, wanted: &mut Wanted) -> Found {
        let mut found = Found::default();
        let Some(compiler) = self.processes.get(&process) else {
            return found;
        };
        let files = compiler.dumps.iter().filter_map(|&id| objects.growing(id));
        for dump in files {
            found.take(jitdump::look_up(&dump, wanted));
        }
        // A later image of the same process id writes to the same map.
        let later = self.processes.range(process..).skip(1);
        let overwritten = later
            .map(|(_, other)| other.pid)
            .any(|pid| pid == compiler.pid);
        if let Some(map) = compiler.map().filter(|_| !overwritten) {
            let mut rest = Wanted::new(wanted.nameless());
            found.take(perf_map::look_up(&map, &mut rest));
            wanted.adopt(&rest);
        }
        found.reused = wanted.reused();
        found
    }

    /// Looks up `frames`, which lie at offsets of `object`, no program, in what the
    /// processes that mapped it have written down.
    pub(super) fn look_up_in_file(
        &self,
        object: ObjectId,
        objects: &Objects,
        frames: &[(FrameId, u64)],
    ) -> Vec<Named> {
        let mut left = frames.to_vec();
        let mut named = Vec::new();
        for (&process, compiler) in &self.processes {
            let address = |offset: u64| {
                let placed = compiler.files.iter().rev();
                let mut placed = placed.filter(|placed| placed.object == object);
                placed.find_map(|placed| {
                    let within = offset.checked_sub(placed.offset)?;
                    let inside = within < placed.end.saturating_sub(placed.start);
                    inside.then(|| placed.start + within)
                })
            };
            let addresses: Vec<u64> = left
                .iter()
                .filter_map(|&(_, offset)| address(offset))
                .collect();
            if addresses.is_empty() {
                continue;
            }
            let mut wanted = Wanted::new(addresses);
            self.look_up(process, objects, &mut wanted);
            left.retain(|&(frame, offset)| {
                let name = address(offset).and_then(|address| wanted.name(address));
                named.extend(name.map(|name| Named {
                    symbol: Symbol {
                        frame,
                        functions: vec![name.to_string()],
                    },
                    lines: None,
                }));
                name.is_none()
            });
        }
        named
    }

    /// The process led by `process`, and those that it was forked from.
    pub(super) fn lineage(&self, process: TaskId) -> impl Iterator<Item = TaskId> {
        let parent = |process: &TaskId| self.processes.get(process)?.parent;
        std::iter::successors(Some(process), parent).take(MOST_FORKS)
    }
}

impl Found {
    /// Takes note of a file. One that cannot be read is none.
    fn take(&mut self, result: io::Result<bool>) {
        if let Ok(whole) = result {
            self.any = true;
            self.cut |= !whole;
        }
    }
}

impl Compiler {
    /// The perf map as it is now.
    fn map(&self) -> Option<File> {
        let now = match &self.own {
            Some(own) => own.map(),
            // Gone before it was looked at: only where eprof itself sees it.
            None => {
                let tmp = directory(Path::new("/tmp"))?;
                // Under sudo, the target runs as the calling user.
                let caller = std::env::var("SUDO_UID").ok();
                let caller = caller.and_then(|user| user.parse().ok());
                let user = caller.unwrap_or_else(|| nix::unistd::geteuid().as_raw());
                map_in(&tmp, self.pid, user)
            }
        };
        let fresh = now.filter(|map| modified(map) >= self.since.saturating_sub(COARSE));
        // Opened again, so that it is read from its start.
        let held = || File::open(descriptor(self.map.as_ref()?)).ok();
        fresh.or_else(held)
    }
}

impl Own {
    fn map(&self) -> Option<File> {
        map_in(&self.tmp, self.pid, self.user)
    }
}

/// The perf map of process `pid` in the directory `tmp`, if it belongs to
/// `user` or to root: others may have put it there (perf asks the same,
/// tools/perf/util/dso.c and symbol.c).
fn map_in(tmp: &File, pid: u32, user: u32) -> Option<File> {
    let path = descriptor(tmp).join(format!("perf-{pid}.map"));
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW)
        .open(path)
        .ok()?;
    let metadata = file.metadata().ok()?;
    let owner = metadata.uid();
    (metadata.is_file() && (owner == user || owner == 0)).then_some(file)
}

fn directory(path: &Path) -> Option<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
        .open(path)
        .ok()
}

fn modified(file: &File) -> Duration {
    let since_1970 = file.metadata().map(|metadata| {
        Duration::new(
            u64::try_from(metadata.mtime()).unwrap_or(0),
            u32::try_from(metadata.mtime_nsec()).unwrap_or(0),
        )
    });
    since_1970.unwrap_or_default()
}

/// Whether a mapped file is a jitdump by its name (as perf decides,
/// tools/perf/util/jitdump.c, `jit_detect`).
fn is_dump(path: &str) -> bool {
    let name = path.strip_suffix(" (deleted)").unwrap_or(path);
    let name = name.rsplit('/').next().unwrap_or(name);
    name.strip_prefix("jit-")
        .and_then(|name| name.strip_suffix(".dump"))
        .is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()))
}
