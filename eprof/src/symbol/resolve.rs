//! From frames to function names, after the run.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use blazesym::symbolize::source::{Elf, Kernel, Source};
use blazesym::symbolize::{Input, Symbolized, Symbolizer};
use blazesym::{Addr, MaybeDefault};

use crate::caveat::Caveat;
use crate::recording::{Frame, FrameId, ObjectId, Symbol};
use crate::symbol::live;
use crate::symbol::object::{Objects, Readable, descriptor};

/// The most objects that are worked on at a time: the debug information of
/// each may take hundreds of megabytes.
const MOST_WORKERS: usize = 4;

/// How many frames are looked up between two reports of progress.
const BATCH: usize = 256;

/// The functions of all frames that resolved.
#[derive(Debug, Default)]
pub struct Resolution {
    /// Ordered by frame. A frame that did not resolve has no entry.
    pub symbols: Vec<Symbol>,
    /// What could not be found, and why.
    pub caveats: Vec<Caveat>,
}

/// What is to be looked up in one object.
struct Job {
    source: Origin,
    frames: Vec<(FrameId, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Object(ObjectId),
    Kernel,
}

/// What a worker tells.
enum News {
    /// So many frames were looked up, with these results.
    Symbols(usize, Vec<Symbol>),
    /// An object's file is gone.
    Gone(ObjectId),
    /// The kernel hides its addresses.
    Hidden,
}

/// Finds the functions of `frames`, whose position is their id, in `objects`
/// and in the running kernel. The names come from symbol tables and debug
/// information (also separate: by build id, or a debug link), demangled, with
/// inlined calls.
///
/// `progress` is called now and then, on the calling thread, with how many of
/// how many frames were looked up.
pub fn resolve(
    objects: &Objects,
    frames: &[Frame],
    progress: &mut dyn FnMut(usize, usize),
) -> Resolution {
    let jobs = jobs(frames);
    let total = jobs.iter().map(|job| job.frames.len()).sum();
    let next = AtomicUsize::new(0);
    let (sender, receiver) = channel();
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_WORKERS)
        .min(jobs.len());
    let mut resolution = Resolution::default();
    let mut gone = Vec::new();
    let mut hidden = false;
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (jobs, next, sender) = (&jobs, &next, sender.clone());
            scope.spawn(move || {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    job.run(objects, &sender);
                }
            });
        }
        drop(sender);
        let mut done = 0;
        for news in receiver {
            match news {
                News::Symbols(looked_up, symbols) => {
                    done += looked_up;
                    progress(done, total);
                    resolution.symbols.extend(symbols);
                }
                News::Gone(object) => gone.push(object),
                News::Hidden => hidden = true,
            }
        }
    });
    resolution.symbols.sort_by_key(|symbol| symbol.frame);
    if !gone.is_empty() {
        resolution.caveats.push(files_gone(objects, gone));
    }
    if hidden {
        resolution.caveats.push(kernel_hidden());
    }
    resolution
}

/// One job per object, the largest first.
fn jobs(frames: &[Frame]) -> Vec<Job> {
    let mut lookups: BTreeMap<Origin, Vec<(FrameId, Addr)>> = BTreeMap::new();
    for (frame, id) in frames.iter().zip((0..=u32::MAX).map(FrameId)) {
        let (source, address, returns) = match *frame {
            Frame::User {
                object,
                offset,
                returns,
            } => (Origin::Object(object), offset, returns),
            Frame::Kernel { address, returns } => (Origin::Kernel, address, returns),
            Frame::Unmapped(_) | Frame::Broken(_) => continue,
        };
        // The call is the instruction before the return address.
        let address = address.saturating_sub(u64::from(returns));
        lookups.entry(source).or_default().push((id, address));
    }
    let mut jobs: Vec<Job> = lookups
        .into_iter()
        .map(|(source, frames)| Job { source, frames })
        .collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.frames.len()));
    jobs
}

impl Job {
    fn run(&self, objects: &Objects, news: &Sender<News>) {
        let object = match self.source {
            Origin::Object(object) => object,
            Origin::Kernel if live::kernel_is_hidden() => return self.give_up(News::Hidden, news),
            Origin::Kernel => return self.look_up(&[kallsyms()], news),
        };
        let (path, _open) = match objects.readable(object) {
            Readable::At(path, open) => (path, open),
            Readable::Vdso => match live::vdso() {
                Some(file) => (descriptor(&file), Some(file)),
                None => return self.give_up(News::Gone(object), news),
            },
            Readable::Gone => return self.give_up(News::Gone(object), news),
        };
        let full = Elf::new(path);
        let mut plain = full.clone();
        plain.debug_syms = false;
        // Broken debug information must not hide the symbol table.
        self.look_up(&[Source::Elf(full), Source::Elf(plain)], news);
    }

    /// Looks all addresses up, in the first of `sources` that can be read.
    fn look_up(&self, sources: &[Source<'_>], news: &Sender<News>) {
        let symbolizer = Symbolizer::new();
        for batch in self.frames.chunks(BATCH) {
            let addresses: Vec<Addr> = batch.iter().map(|&(_, address)| address).collect();
            let input = match self.source {
                Origin::Object(_) => Input::FileOffset(addresses.as_slice()),
                Origin::Kernel => Input::AbsAddr(addresses.as_slice()),
            };
            let symbols = sources.iter().find_map(|source| {
                // The files belong to the target and may hold anything; a flaw
                // in a parser must cost the names of one batch at most.
                catch_unwind(AssertUnwindSafe(|| {
                    let found = symbolizer.symbolize(source, input).ok()?;
                    let symbols = batch.iter().zip(found);
                    Some(
                        symbols
                            .filter_map(|(&(frame, _), found)| symbol(frame, found))
                            .collect(),
                    )
                }))
                .ok()
                .flatten()
            });
            // Nobody listens only when the caller is gone too.
            let _ = news.send(News::Symbols(batch.len(), symbols.unwrap_or_default()));
        }
    }

    fn give_up(&self, why: News, news: &Sender<News>) {
        // As above.
        let _ = news.send(why);
        let _ = news.send(News::Symbols(self.frames.len(), Vec::new()));
    }
}

fn symbol(frame: FrameId, found: Symbolized<'_>) -> Option<Symbol> {
    let found = found.into_sym()?;
    let inlined = found.inlined.iter().map(|inlined| inlined.name.as_ref());
    let functions: Vec<String> = std::iter::once(found.name.as_ref())
        .chain(inlined)
        .map(str::to_owned)
        .collect();
    Some(Symbol { frame, functions })
}

/// The running kernel and its modules by their own table; an image on disk
/// need not be the one that runs.
fn kallsyms() -> Source<'static> {
    Source::Kernel(Kernel {
        vmlinux: MaybeDefault::None,
        debug_syms: false,
        ..Kernel::default()
    })
}

fn kernel_hidden() -> Caveat {
    Caveat::new(
        "kernel-symbols-hidden",
        "the kernel hides the addresses of its functions, which are shown as unknown",
    )
    .hint("sudo sysctl kernel.kptr_restrict=1, and run eprof as root or with CAP_SYSLOG")
}

fn files_gone(objects: &Objects, mut gone: Vec<ObjectId>) -> Caveat {
    gone.sort();
    let names: Vec<&str> = gone
        .iter()
        .filter_map(|id| objects.list().get(id.0 as usize))
        .map(|object| object.path.as_str())
        .collect();
    let (first, rest) = names.split_at(names.len().min(3));
    let more = match rest.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Caveat::new(
        "object-gone",
        format!(
            "{} of the files that code ran from could not be opened, or were replaced, so that \
             their functions are unknown: {}{more}",
            names.len(),
            first.join(", "),
        ),
    )
}
