//! A stack as any profiler tells it, and whether it is whole.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::elf::Image;

/// One stack.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The frames of user space, leaf first.
    pub steps: Vec<Step>,
    /// The profiler's own word that the stack is not whole, and why.
    pub broken: Option<String>,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// In a file.
    File {
        /// Which.
        path: PathBuf,
        /// Where in it: offset, or address as it is linked.
        at: At,
        /// Whether it is a return address.
        returns: bool,
    },
    /// Code that has no file, e.g. made at run time.
    Nowhere,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Bytes from the file's start.
    Offset(u64),
    /// Bytes from its lowest address.
    Relative(u64),
}

/// What a stack must be to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Whether code is made at run time, so that frames without a file are
    /// no fault.
    pub jit: bool,
    /// Functions without CFI that nobody calls, as this program's library
    /// names them.
    pub roots: &'static [&'static str],
}

/// Threads and programs begin in these where the library has no CFI: musl's
/// (src/env/__libc_start_main.c, src/thread/pthread_create.c), and Go's, which
/// has none of this kind (runtime/asm_amd64.s, runtime/proc.go).
pub const ROOTS: &[&str] = &[
    "_start_c",
    "libc_start_main_stage2",
    "__libc_start_main",
    "start",
    "__clone",
    "runtime.goexit.abi0",
    "runtime.mstart.abi0",
    "runtime.clone.abi0",
    "runtime.rt0_go.abi0",
    "_rt0_amd64_linux",
    // The goroutine has stopped. Go's own tracebacks end here, too.
    "runtime.mcall",
];

/// The files that frames lie in.
#[derive(Default)]
pub struct Images {
    /// Read so far.
    images: HashMap<PathBuf, Option<Image>>,
    /// Files with more names than those that ran.
    named: HashMap<PathBuf, PathBuf>,
}

impl Images {
    /// Takes the names of `stripped` from `whole`, of which it is a copy.
    pub fn name_by(&mut self, stripped: &Path, whole: &Path) {
        self.named.insert(stripped.to_owned(), whole.to_owned());
    }

    fn image(&mut self, path: &Path) -> Option<&Image> {
        let known = self.images.entry(path.to_owned());
        known.or_insert_with(|| Image::open(path)).as_ref()
    }

    /// The function of a frame: as its symbol table has it.
    pub fn name(&mut self, step: &Step) -> Option<String> {
        let Step::File { path, at, returns } = step else {
            return None;
        };
        let address = self.address(path, *at)?.wrapping_sub(u64::from(*returns));
        let path = self.named.get(path).cloned().unwrap_or(path.clone());
        self.image(&path)?.name(address).map(str::to_owned)
    }

    fn address(&mut self, path: &Path, at: At) -> Option<u64> {
        let image = self.image(path)?;
        match at {
            At::Offset(offset) => image.address(offset),
            At::Relative(distance) => Some(image.lowest() + distance),
        }
    }

    /// A frame as a reader can place it.
    pub fn describe(&mut self, step: &Step) -> String {
        let Step::File { path, at, .. } = step else {
            return "code without a file".to_owned();
        };
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        match (self.name(step), self.address(path, *at)) {
            (Some(name), _) => format!("{name} ({file})"),
            (None, Some(address)) => format!("{address:#x} ({file})"),
            (None, None) => format!("{at:x?} ({file})"),
        }
    }

    /// Why a stack is not whole; `None` if it is.
    ///
    /// Whole is a stack that its profiler does not call broken, whose frames
    /// all lie in code, whose return addresses follow calls, and whose outermost
    /// frame has no caller.
    pub fn flaw(&mut self, walk: &Walk, demand: Demand) -> Option<String> {
        let Some(outermost) = walk.steps.last() else {
            // In the kernel for a process that has no user memory (yet, or any
            // more): nothing is missing.
            return walk.broken.clone();
        };
        if let Some(why) = &walk.broken {
            return Some(format!("{why} above {}", self.describe(outermost)));
        }
        for (depth, step) in walk.steps.iter().enumerate() {
            match step {
                Step::Nowhere if demand.jit => {}
                Step::Nowhere => {
                    return Some(match depth.checked_sub(1).map(|below| &walk.steps[below]) {
                        Some(below) => format!("no code above {}", self.describe(below)),
                        None => "the leaf is no code".to_owned(),
                    });
                }
                Step::File { path, at, returns } => {
                    let is_outermost = depth + 1 == walk.steps.len();
                    if !returns || is_outermost {
                        continue;
                    }
                    let address = self.address(path, *at);
                    if let Some((image, address)) = self.image(path).zip(address)
                        && !image.follows_a_call(address)
                    {
                        return Some(format!("no call precedes {}", self.describe(step)));
                    }
                }
            }
        }
        if self.is_root(outermost, demand) {
            return None;
        }
        Some(format!("ends at {}", self.describe(outermost)))
    }

    fn is_root(&mut self, step: &Step, demand: Demand) -> bool {
        let Step::File { path, at, returns } = step else {
            return false;
        };
        let back = u64::from(*returns);
        let name = self.name(step);
        if name.is_some_and(|name| demand.roots.contains(&name.as_str())) {
            return true;
        }
        let Some(address) = self.address(path, *at) else {
            return false;
        };
        let made = |image: &Image| *returns && image.is_made(address);
        let image = self.image(path);
        image.is_some_and(|image| image.is_root(address.wrapping_sub(back)) || made(image))
    }
}
