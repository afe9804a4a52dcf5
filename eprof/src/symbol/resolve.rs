//! From frames to function names, after the run.

use std::collections::BTreeMap;
use std::io::{PipeReader, pipe};
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::child::{Client, Depth, Errand, Find, Quest, crew};
use super::generated::{Compilers, Found};
use super::kernel_names;
use super::listed::listed;
use super::named::Named;
use super::ranges::Wanted;
use super::search::Search;
use crate::caveat::{Caveat, counted};
use crate::mappings::objects::Objects;
use crate::mappings::vdso;
use crate::measurement::{Frame, FrameId, Lines, Object, ObjectId, Segment, Symbol, TaskId};

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
    /// A program or a library.
    Object(ObjectId),
    /// A file with code that is neither: a compiler has written it.
    Compiled(ObjectId),
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
}

/// Finds the functions of `frames`, whose position is their id, in `objects`,
/// in the code that `compilers` made, and in the running kernel. The names
/// come from symbol tables and debug information (also separate: by build id,
/// or a debug link), demangled, with inlined calls and source lines.
///
/// `progress` is called now and then on the calling thread, and may end the search.
pub(super) fn resolve(
    objects: &Objects,
    compilers: &Compilers,
    search: &Search,
    frames: &[Frame],
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Resolution {
    let mut jobs = jobs(frames);
    for job in &mut jobs {
        job.origin = match job.origin {
            Origin::Object(id) if !objects.is_program(id) => Origin::Compiled(id),
            origin => origin,
        };
    }
    let places = Places { objects, compilers };
    let errand = |job: &Job| job.errand(objects);
    let here = |job: &Job, news: &Sender<News>| job.run(&places, news);
    let mut sum = work(&jobs, search, errand, here, progress);
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

/// Does the `jobs`: those in objects by helpers, which are told what to do by
/// `errand`, all others by `here`, on a thread beside, or on this one where there is
/// none. `progress` is told how it goes, on the calling thread, and may end it.
pub(super) fn work(
    jobs: &[Job],
    search: &Search,
    mut errand: impl FnMut(&Job) -> Option<Errand>,
    here: impl Fn(&Job, &Sender<News>) + Sync,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Sum {
    let (sender, receiver) = channel();
    let in_objects = |job: &Job| matches!(job.origin, Origin::Object(_));
    let abroad = jobs.iter().zip(0..).filter(|(job, _)| in_objects(job));
    let abroad = abroad.map(|(job, place)| (place, job.frames.iter().copied().collect()));
    let beside: Vec<&Job> = jobs.iter().filter(|job| !in_objects(job)).collect();
    let ended = AtomicBool::new(false);
    let do_beside = || {
        let sender = sender.clone();
        for job in &beside {
            if !ended.load(Ordering::Relaxed) {
                here(job, &sender);
            }
        }
    };
    let mut foreman = Foreman {
        jobs,
        errand: &mut errand,
        receiver: &receiver,
        progress,
        // Its other end is closed when that work is over.
        beside: None,
        over: true,
        sum: Sum::default(),
        so_far: Progress {
            frames: jobs.iter().map(|job| job.frames.len()).sum(),
            ..Progress::default()
        },
    };
    let caveats = std::thread::scope(|scope| {
        if !beside.is_empty() {
            let begun = pipe().and_then(|(over, end)| {
                std::thread::Builder::new().spawn_scoped(scope, || {
                    let _end = end;
                    do_beside();
                })?;
                Ok(over)
            });
            match begun {
                Ok(over) => (foreman.beside, foreman.over) = (Some(over), false),
                Err(_) => do_beside(),
            }
        }
        let caveats = crew(abroad.collect(), search, &mut foreman);
        ended.store(true, Ordering::Relaxed);
        caveats
    });
    foreman.take_in();
    let mut sum = foreman.sum;
    sum.resolution.caveats.extend(caveats);
    sum.resolution.symbols.sort_by_key(|symbol| symbol.frame);
    sum.resolution.lines.sort_by_key(|lines| lines.frame);
    sum
}

/// Adds up what is found here and by the helpers.
struct Foreman<'a> {
    jobs: &'a [Job],
    errand: &'a mut dyn FnMut(&Job) -> Option<Errand>,
    receiver: &'a Receiver<News>,
    progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    beside: Option<PipeReader>,
    /// Whether nothing is done beside any more.
    over: bool,
    sum: Sum,
    so_far: Progress,
}

impl Foreman<'_> {
    fn take(&mut self, news: News) {
        self.so_far.looked_up += match &news {
            News::Found(found) => found.len(),
            News::Unknown(frames) => *frames,
            _ => 0,
        };
        self.sum.take(news);
    }

    fn take_in(&mut self) {
        while let Ok(news) = self.receiver.try_recv() {
            self.take(news);
        }
    }
}

impl Client for Foreman<'_> {
    fn errand(&mut self, job: usize) -> Option<Errand> {
        let job = self.jobs.get(job)?;
        let errand = (self.errand)(job);
        if let (None, Origin::Object(object)) = (&errand, job.origin) {
            self.take(News::Gone(object));
        }
        errand
    }

    fn found(&mut self, find: Find) {
        match find {
            Find::Segments(job, segments) => {
                let origin = self.jobs.get(job).map(|job| job.origin);
                if let Some(Origin::Object(object)) = origin {
                    self.take(News::Segments(object, segments));
                }
            }
            Find::Named(named) => self.take(News::Found(named)),
            Find::Unknown(frames) => self.take(News::Unknown(frames)),
        }
    }

    fn other(&self) -> Option<BorrowedFd<'_>> {
        self.beside.as_ref().map(|over| over.as_fd())
    }

    fn tick(&mut self, fetched: u64) -> (ControlFlow<()>, bool) {
        if let Some(over) = &self.beside
            && is_closed(over)
        {
            (self.beside, self.over) = (None, true);
        }
        self.take_in();
        self.so_far.fetched = self.so_far.fetched.saturating_add(fetched);
        ((self.progress)(self.so_far), !self.over)
    }
}

/// Whether the other end of a pipe, by which nothing is ever written, is closed.
fn is_closed(pipe: &PipeReader) -> bool {
    let mut polled = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
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
    /// What a helper is to do; `None` where the object's file is gone.
    fn errand(&self, objects: &Objects) -> Option<Errand> {
        let Origin::Object(id) = self.origin else {
            return None;
        };
        let object = objects.list().get(id.0 as usize)?;
        Some(Errand {
            quest: Quest {
                path: object.path.clone(),
                build_id: object.build_id.clone(),
                segments: Vec::new(),
                frames: Vec::new(),
                nameless: true,
                depth: Depth::Everything,
                ask: false,
                fetched: None,
            },
            file: Some(objects.open(id)?),
        })
    }

    fn run(&self, places: &Places<'_>, news: &Sender<News>) {
        let unknown = match self.origin {
            // Helpers do that.
            Origin::Object(_) => 0,
            Origin::Compiled(object) => self.in_compiled(object, places, news),
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

    /// Looks for names in what the processes that mapped the file `id` have written
    /// down.
    fn in_compiled(&self, id: ObjectId, places: &Places<'_>, news: &Sender<News>) -> usize {
        let Places { objects, compilers } = places;
        let named = compilers.look_up_in_file(id, objects, &self.frames);
        let unknown = self.frames.len() - named.len();
        tell(news, News::Found(named));
        unknown
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
                "no names are known of {} in code that was made at run time, for the program \
                 writes none down",
                counted(sum.nameless as u64, "address", "addresses")
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
                "{} in code that was made at run time held several functions one after the other: \
                 the last is shown",
                counted(sum.reused as u64, "address", "addresses")
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
    let mut names: Vec<String> = gone.map(|object| object.path.clone()).collect();
    let listed = listed(&mut names);
    Caveat::new(
        "object-gone",
        format!(
            "{} of the files that code ran from could not be opened, or were replaced, so that \
             their functions are unknown: {listed}",
            names.len(),
        ),
    )
}
