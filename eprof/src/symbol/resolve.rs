//! From frames to function names, after the run.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::generated::{Compilers, Found};
use super::kernel_names;
use super::lookup::{Names, look_up};
use super::named::Named;
use super::outline::Outline;
use super::ranges::Wanted;
use super::search::Search;
use crate::caveat::Caveat;
use crate::mappings::objects::{Objects, Readable, descriptor};
use crate::mappings::vdso;
use crate::measurement::{Frame, FrameId, Lines, Object, ObjectId, Segment, Symbol, TaskId};

/// The most objects that are worked on at a time: the debug information of
/// each may take hundreds of megabytes.
const MOST_WORKERS: usize = 4;

/// How often progress is told at least.
const TELL: Duration = Duration::from_millis(100);

/// The functions of all frames that resolved.
#[derive(Debug, Default)]
pub struct Resolution {
    /// Ordered by frame. A frame that did not resolve has no entry.
    pub symbols: Vec<Symbol>,
    /// Where in the source they are, as far as that is known. Ordered by
    /// frame.
    pub lines: Vec<Lines>,
    /// The code segments of the objects that frames lie in, where the file
    /// could be read: with them, another debug file will do later.
    pub segments: BTreeMap<ObjectId, Vec<Segment>>,
    /// What could not be found, and why.
    pub caveats: Vec<Caveat>,
}

/// How far the search for names has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many frames were looked up.
    pub looked_up: usize,
    /// How many there are.
    pub frames: usize,
    /// How many bytes of debug information were fetched from servers.
    pub fetched: u64,
}

/// What is to be looked up in one place.
pub(super) struct Job {
    pub(super) origin: Origin,
    pub(super) frames: Vec<(FrameId, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    Object(ObjectId),
    Kernel,
    Generated(TaskId),
}

/// What a worker tells.
pub(super) enum News {
    /// These were found.
    Found(Vec<Named>),
    /// For so many frames nothing was found.
    Unknown(usize),
    /// The segments of an object.
    Segments(ObjectId, Vec<Segment>),
    /// An object's file is gone.
    Gone(ObjectId),
    /// The kernel hides its addresses.
    Hidden,
    /// Names of generated code were looked up: for so many addresses there
    /// is none.
    Generated(Found, usize),
}

/// What is known of the places of frames.
struct Places<'a> {
    objects: &'a Objects,
    compilers: &'a Compilers,
    search: &'a Search,
}

/// Finds the functions of `frames`, whose position is their id, in `objects`,
/// in the code that `compilers` made, and in the running kernel. The names
/// come from symbol tables and debug information (also separate: by build id,
/// or a debug link), demangled, with inlined calls and source lines.
///
/// `progress` is called now and then on the calling thread.
pub(super) fn resolve(
    objects: &Objects,
    compilers: &Compilers,
    search: &Search,
    frames: &[Frame],
    progress: &mut dyn FnMut(Progress),
) -> Resolution {
    let jobs = jobs(frames);
    let places = Places {
        objects,
        compilers,
        search,
    };
    let mut sum = work(&jobs, search, |job, news| job.run(&places, news), progress);
    let mut resolution = std::mem::take(&mut sum.resolution);
    if !sum.gone.is_empty() {
        let gone = sum.gone.iter();
        let gone = gone.filter_map(|id| objects.list().get(id.0 as usize));
        resolution.caveats.push(files_gone(gone));
    }
    if sum.hidden {
        resolution.caveats.push(kernel_hidden());
    }
    resolution.caveats.extend(generated(&sum));
    resolution.caveats.extend(search.caveat());
    resolution
}

/// What the workers told.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) resolution: Resolution,
    gone: Vec<ObjectId>,
    hidden: bool,
    /// Addresses of generated code without a name, where there was no file
    /// with names at all.
    nameless: usize,
    reused: usize,
    cut: bool,
}

impl Sum {
    fn take(&mut self, news: News) {
        match news {
            News::Found(found) => {
                for Named { symbol, lines } in found {
                    self.resolution.symbols.push(symbol);
                    self.resolution.lines.extend(lines);
                }
            }
            News::Unknown(_) => {}
            News::Segments(object, segments) => {
                self.resolution.segments.insert(object, segments);
            }
            News::Gone(object) => self.gone.push(object),
            News::Hidden => self.hidden = true,
            News::Generated(found, nameless) => {
                if !found.any {
                    self.nameless += nameless;
                }
                self.reused += found.reused;
                self.cut |= found.cut;
            }
        }
    }
}

/// Does the `jobs` on a few threads, with `each`. `progress` is told how it
/// goes, on the calling thread.
pub(super) fn work(
    jobs: &[Job],
    search: &Search,
    each: impl Fn(&Job, &Sender<News>) + Sync,
    progress: &mut dyn FnMut(Progress),
) -> Sum {
    let mut sum = Sum::default();
    let next = AtomicUsize::new(0);
    let (sender, receiver) = channel();
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_WORKERS)
        .min(jobs.len());
    let mut so_far = Progress {
        frames: jobs.iter().map(|job| job.frames.len()).sum(),
        ..Progress::default()
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (next, sender, each) = (&next, sender.clone(), &each);
            scope.spawn(move || {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(job, &sender);
                }
            });
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(TELL) {
                Ok(news) => {
                    so_far.looked_up += match &news {
                        News::Found(found) => found.len(),
                        News::Unknown(frames) => *frames,
                        _ => 0,
                    };
                    sum.take(news);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            so_far.fetched = search.fetched_bytes();
            progress(so_far);
        }
    });
    sum.resolution.symbols.sort_by_key(|symbol| symbol.frame);
    sum.resolution.lines.sort_by_key(|lines| lines.frame);
    sum
}

/// One job per place, the largest first.
pub(super) fn jobs(frames: &[Frame]) -> Vec<Job> {
    let mut lookups: BTreeMap<Origin, Vec<(FrameId, u64)>> = BTreeMap::new();
    for (frame, id) in frames.iter().zip((0..=u32::MAX).map(FrameId)) {
        let (origin, address, returns) = match *frame {
            Frame::User {
                object,
                offset,
                returns,
            } => (Origin::Object(object), offset, returns),
            Frame::Kernel { address, returns } => (Origin::Kernel, address, returns),
            Frame::Generated {
                process,
                address,
                returns,
            } => (Origin::Generated(process), address, returns),
            Frame::Unmapped(_) | Frame::Broken(_) => continue,
        };
        // The call is the instruction before the return address.
        let address = address.saturating_sub(u64::from(returns));
        lookups.entry(origin).or_default().push((id, address));
    }
    let mut jobs: Vec<Job> = lookups
        .into_iter()
        .map(|(origin, frames)| Job { origin, frames })
        .collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.frames.len()));
    jobs
}

impl Job {
    fn run(&self, places: &Places<'_>, news: &Sender<News>) {
        let unknown = match self.origin {
            Origin::Object(object) => self.in_object(object, places, news),
            Origin::Kernel if vdso::kernel_is_hidden() => {
                tell(news, News::Hidden);
                self.frames.len()
            }
            Origin::Kernel => {
                let named = kernel_names::named(&self.frames);
                let unknown = self.frames.len() - named.len();
                tell(news, News::Found(named));
                unknown
            }
            Origin::Generated(process) => self.in_generated(process, places, news),
        };
        tell(news, News::Unknown(unknown));
    }

    /// Looks the frames up; returns how many were not found.
    pub(super) fn in_files(
        &self,
        files: &[Names],
        segments: &[Segment],
        news: &Sender<News>,
    ) -> usize {
        let mut found = |found| tell(news, News::Found(found));
        look_up(files, segments, &self.frames, &mut found)
    }

    fn in_object(&self, id: ObjectId, places: &Places<'_>, news: &Sender<News>) -> usize {
        let (path, _open) = match places.objects.readable(id) {
            Readable::At(path, open) => (path, open),
            Readable::Vdso => match vdso::vdso() {
                Some(file) => (descriptor(&file), Some(file)),
                None => {
                    tell(news, News::Gone(id));
                    return self.frames.len();
                }
            },
            Readable::Gone => {
                tell(news, News::Gone(id));
                return self.frames.len();
            }
        };
        let outline = File::open(&path).map(|file| Outline::of(&file));
        let outline = outline.unwrap_or_default();
        let object = places.objects.list().get(id.0 as usize);
        let build_id = object.and_then(|object| object.build_id.as_deref());
        let mut files = Vec::new();
        if let Some(build_id) = build_id.filter(|_| !outline.debug_info) {
            let found = places.search.debug_file(build_id);
            let found = found.or_else(|| places.search.fetched(build_id));
            files.extend(found.map(Names::Debug));
        }
        files.push(Names::Whole(path));
        tell(news, News::Segments(id, outline.segments.clone()));
        self.in_files(&files, &outline.segments, news)
    }

    fn in_generated(&self, process: TaskId, places: &Places<'_>, news: &Sender<News>) -> usize {
        let mut left: Vec<u64> = self.frames.iter().map(|&(_, address)| address).collect();
        let mut total = Found::default();
        let mut wanted = Wanted::new(left.clone());
        for ancestor in places.compilers.lineage(process) {
            if left.is_empty() {
                break;
            }
            let mut here = Wanted::new(left);
            let found = places
                .compilers
                .look_up(ancestor, places.objects, &mut here);
            total.any |= found.any;
            total.cut |= found.cut;
            wanted.adopt(&here);
            left = wanted.nameless();
        }
        total.reused = wanted.reused();
        tell(news, News::Generated(total, left.len()));
        let named = self.frames.iter().filter_map(|&(frame, address)| {
            let functions = vec![wanted.name(address)?.to_string()];
            let symbol = Symbol { frame, functions };
            Some(Named {
                symbol,
                lines: None,
            })
        });
        let named: Vec<Named> = named.collect();
        let unknown = self.frames.len() - named.len();
        tell(news, News::Found(named));
        unknown
    }
}

/// Nobody listens only when the caller is gone too.
fn tell(news: &Sender<News>, what: News) {
    let _ = news.send(what);
}

fn kernel_hidden() -> Caveat {
    Caveat::new(
        "kernel-symbols-hidden",
        "the kernel hides the addresses of its functions, which are shown as unknown",
    )
    .hint("sudo sysctl kernel.kptr_restrict=1, and run eprof as root or with CAP_SYSLOG")
}

fn generated(sum: &Sum) -> impl Iterator<Item = Caveat> {
    let nameless = (sum.nameless > 0).then(|| {
        Caveat::new(
            "generated-code-nameless",
            format!(
                "{} addresses in code that was made at run time have no names, for the program \
                 writes none down",
                sum.nameless
            ),
        )
        .hint(
            "node --perf-basic-prof, python3.12 -X perf, \
             java -XX:+PreserveFramePointer -XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit, \
             erl +JPperf true, php -d opcache.jit_debug=0x10, MONO_ENV_OPTIONS=--jitmap mono",
        )
    });
    let reused = (sum.reused > 0).then(|| {
        Caveat::new(
            "generated-code-reused",
            format!(
                "{} addresses in code that was made at run time held several functions one after \
                 the other, and are shown as the last",
                sum.reused
            ),
        )
    });
    let cut = sum.cut.then(|| {
        Caveat::new(
            "generated-names-cut",
            "a list of functions that were made at run time is too long, and was not read to its \
             end",
        )
    });
    nameless.into_iter().chain(reused).chain(cut)
}

fn files_gone<'a>(gone: impl Iterator<Item = &'a Object>) -> Caveat {
    let mut names: Vec<&str> = gone.map(|object| object.path.as_str()).collect();
    names.sort_unstable();
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
