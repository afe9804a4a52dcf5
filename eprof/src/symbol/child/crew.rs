//! The side that asks: some helpers, and who of them does what.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::budget::{Budget, TOTAL};
use super::message::{
    Answer, Begin, Delivery, Depth, LONGEST_NAME, MOST_INLINED, MOST_SEGMENTS, Quest, Role, Wanted,
};
use super::misfortune::{Misfortune, Misfortunes};
use super::serve::{UNCONFINED, WORD};
use crate::caveat::Caveat;
use crate::clock;
use crate::confine::{Bounds, Helper, Person, Sight};
use crate::launch::{Identity, RunAs, UserId};
use crate::measurement::{FrameId, Segment};
use crate::symbol::named::Named;
use crate::symbol::search::Search;
use crate::unit::{Nanos, Timestamp};

/// The most helpers that look names up at a time: the debug information of each may
/// take hundreds of megabytes.
const MOST_HELPERS: usize = 4;

/// The fewest files of one helper: starting one takes some milliseconds.
const FILES_EACH: usize = 4;

/// The most memory of all of them, in bytes. It is less on a small machine.
const MEMORY: u64 = 2 << 30;

/// The least memory with which names can be looked up, in bytes.
const LEAST_MEMORY: u64 = 128 << 20;

/// The most CPU time of one helper, in seconds, should nobody watch it any more.
const CPU: u64 = 600;

/// How many files servers are asked for at a time.
const MOST_FETCHED: usize = 4;

/// The most text of names in all, in bytes.
const MOST_TEXT: usize = 256 << 20;

/// How often progress is told at least, in milliseconds.
const TELL: u16 = 100;

/// What is to be looked up in one object.
pub(crate) struct Errand {
    /// What is wanted; the frames are set by the crew.
    pub(crate) quest: Quest,
    /// The object's file, where it is at hand.
    pub(crate) file: Option<File>,
}

/// What a crew finds.
pub(crate) enum Find {
    /// The code segments of the object of this job.
    Segments(usize, Vec<Segment>),
    /// Some names.
    Named(Vec<Named>),
    /// For so many frames nothing was found.
    Unknown(usize),
}

/// Whoever the crew works for.
pub(crate) trait Client {
    /// Makes the job at this place ready; `None` where there is nothing to be read.
    /// Asked again where it is to be tried once more.
    fn errand(&mut self, job: usize) -> Option<Errand>;
    /// Something was found.
    fn found(&mut self, find: Find);
    /// Something else that wakes the crew up.
    fn other(&self) -> Option<BorrowedFd<'_>>;
    /// Is asked now and then whether to go on, and told how many bytes were fetched
    /// since the last time. `true` in the second place: other work is not over yet.
    fn tick(&mut self, fetched: u64) -> (ControlFlow<()>, bool);
}

/// A job that is not done.
struct Ticket {
    job: usize,
    depth: Depth,
    /// What is still to be looked up.
    left: BTreeMap<FrameId, u64>,
    ask: bool,
    fetched: Option<PathBuf>,
    path: String,
    build_id: Option<Wanted>,
}

/// A helper at work, or not.
struct Seat {
    helper: Helper,
    work: Option<(Ticket, Budget)>,
}

struct Crew<'a> {
    search: &'a Search,
    client: &'a mut dyn Client,
    queue: VecDeque<Ticket>,
    seats: Vec<Option<Seat>>,
    fetcher: Option<Helper>,
    /// Waits for a file from a server.
    waiting: Vec<Ticket>,
    asked: Vec<Wanted>,
    heard: Timestamp,
    misfortunes: Misfortunes,
    memory: u64,
    fetched: u64,
    text: usize,
    began: Timestamp,
}

/// Does the jobs, each of which has these frames. Gives back what is to be said of it.
pub(crate) fn crew(
    jobs: Vec<(usize, BTreeMap<FrameId, u64>)>,
    search: &Search,
    client: &mut dyn Client,
) -> Vec<Caveat> {
    let now = clock::now();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let seats = cpus.min(MOST_HELPERS).min(jobs.len().div_ceil(FILES_EACH));
    let tickets = jobs.into_iter().map(|(job, left)| Ticket {
        job,
        depth: Depth::Everything,
        left,
        ask: search.servers().is_some(),
        fetched: None,
        path: String::new(),
        build_id: None,
    });
    let mut crew = Crew {
        search,
        client,
        queue: tickets.collect(),
        seats: (0..seats).map(|_| None).collect(),
        fetcher: None,
        waiting: Vec::new(),
        asked: Vec::new(),
        heard: now,
        misfortunes: Misfortunes::default(),
        memory: memory() / (seats as u64).max(1),
        fetched: 0,
        text: 0,
        began: now,
    };
    let interrupted = crew.work();
    let left = crew.forget_all();
    let mut caveats = crew.misfortunes.caveats();
    if interrupted {
        caveats.push(interrupted_caveat(left));
    }
    caveats
}

impl Crew<'_> {
    /// Works until all is done; `true`: until somebody interrupted it.
    fn work(&mut self) -> bool {
        let (flow, mut others) = self.client.tick(0);
        if flow.is_break() {
            return true;
        }
        loop {
            self.assign();
            self.ask_servers();
            let idle = self.seats.iter().flatten().all(|seat| seat.work.is_none());
            if idle && self.queue.is_empty() && self.waiting.is_empty() && !others {
                return false;
            }
            self.wait(others);
            self.listen();
            self.listen_to_fetcher();
            self.watch();
            let fetched = std::mem::take(&mut self.fetched);
            let (flow, more) = self.client.tick(fetched);
            if flow.is_break() {
                return true;
            }
            others = more;
        }
    }

    /// Ends all helpers; returns how many frames were not looked up.
    fn forget_all(&mut self) -> usize {
        let at_work = self.seats.drain(..).flatten().filter_map(|seat| seat.work);
        let left = self
            .queue
            .drain(..)
            .chain(self.waiting.drain(..))
            .chain(at_work.map(|(ticket, _)| ticket));
        let left = left.map(|ticket| ticket.left.len()).sum();
        self.fetcher = None;
        left
    }

    /// Gives work to whoever has none.
    fn assign(&mut self) {
        for place in 0..self.seats.len() {
            let idle = |seat: &Option<Seat>| seat.as_ref().is_none_or(|seat| seat.work.is_none());
            while self.seats.get(place).is_some_and(idle) {
                let Some(mut ticket) = self.queue.pop_front() else {
                    return;
                };
                let Some(mut errand) = self.client.errand(ticket.job) else {
                    self.give_up(ticket);
                    continue;
                };
                ticket.path.clone_from(&errand.quest.path);
                ticket.build_id.clone_from(&errand.quest.build_id);
                errand.quest.frames = ticket.left.iter().map(|(&id, &at)| (id, at)).collect();
                errand.quest.depth = ticket.depth;
                errand.quest.ask = ticket.ask;
                errand.quest.fetched.clone_from(&ticket.fetched);
                if let Err(error) = self.send(place, &errand) {
                    let _ = self.misfortunes.why_nobody.get_or_insert(error.to_string());
                    self.lose(ticket, Misfortune::Nobody, Depth::Symbols);
                    // There will be nobody for the others either.
                    let queue: Vec<_> = self.queue.drain(..).collect();
                    for ticket in queue {
                        self.lose(ticket, Misfortune::Nobody, Depth::Symbols);
                    }
                    return;
                }
                if let Some(Some(seat)) = self.seats.get_mut(place) {
                    let cpu = seat.helper.cpu().unwrap_or_default();
                    seat.work = Some((ticket, Budget::new(clock::now(), cpu)));
                }
            }
        }
    }

    /// Sends `errand` to the helper at this place, which is started if need be.
    fn send(&mut self, place: usize, errand: &Errand) -> io::Result<()> {
        if let Some(Some(seat)) = self.seats.get(place)
            && seat
                .helper
                .send(&errand.quest, errand.file.as_ref())
                .is_ok()
        {
            return Ok(());
        }
        // There is none, or it died while it had nothing to do.
        let helper = Helper::start(self.search.program(), WORD, Sight::Nothing)?;
        let directories = self.search.directories().to_vec();
        let bounds = bounds(self.memory, self.memory / 2, false)?.1;
        let role = Role::Names { directories };
        // One that is gone already is missed soon, and then it is known why.
        let _ = helper
            .send(&Begin { bounds, role }, None)
            .and_then(|()| helper.send(&errand.quest, errand.file.as_ref()));
        if let Some(seat) = self.seats.get_mut(place) {
            *seat = Some(Seat { helper, work: None });
        }
        Ok(())
    }

    /// Waits until somebody says something, for a moment.
    fn wait(&self, others: bool) {
        let helpers = self.seats.iter().flatten().map(|seat| seat.helper.as_fd());
        let fetcher = self.fetcher.iter().map(|fetcher| fetcher.as_fd());
        let other = self.client.other().filter(|_| others);
        let mut polled: Vec<PollFd<'_>> = helpers
            .chain(fetcher)
            .chain(other)
            .map(|file| PollFd::new(file, PollFlags::POLLIN))
            .collect();
        // Interrupted, it is asked again soon.
        let _ = poll(&mut polled, PollTimeout::from(TELL));
    }

    fn listen(&mut self) {
        for place in 0..self.seats.len() {
            let Some(seat) = self.seats.get_mut(place) else {
                continue;
            };
            let Some(mut taken) = seat.take() else {
                continue;
            };
            let heard = taken.helper.answers::<Answer>();
            let (answers, open) = match heard {
                Ok(heard) => heard,
                Err(_) => {
                    self.died(taken, Some(Misfortune::Nonsense));
                    continue;
                }
            };
            if let (Some((_, budget)), false) = (&mut taken.work, answers.is_empty()) {
                budget.heard(clock::now(), taken.helper.cpu().unwrap_or_default());
            }
            let mut sound = true;
            for answer in answers {
                sound = sound && self.take(&mut taken, answer);
            }
            if !sound {
                self.died(taken, Some(Misfortune::Nonsense));
            } else if !open {
                self.died(taken, None);
            } else if let Some(seat) = self.seats.get_mut(place) {
                *seat = Some(taken);
            }
        }
    }

    /// Takes an answer; `false` where nobody says that.
    fn take(&mut self, seat: &mut Seat, answer: Answer) -> bool {
        let Some((ticket, _)) = &mut seat.work else {
            return false;
        };
        match answer {
            Answer::Segments(segments) => {
                if segments.len() > MOST_SEGMENTS {
                    return false;
                }
                self.client.found(Find::Segments(ticket.job, segments));
                true
            }
            Answer::Found(named) => {
                let mut wanted = |of: &Named| ticket.left.remove(&of.symbol.frame).is_some();
                self.text += named.iter().map(length).sum::<usize>();
                let sound = named.iter().all(|of| is_sound(of) && wanted(of));
                if !sound || self.text > MOST_TEXT {
                    return false;
                }
                self.client.found(Find::Named(named));
                true
            }
            Answer::Lacks => {
                let Some((mut ticket, _)) = seat.work.take() else {
                    return false;
                };
                let may = ticket.ask;
                ticket.ask = false;
                self.waiting.push(ticket);
                may
            }
            Answer::Done(flaw) => {
                let Some((ticket, _)) = seat.work.take() else {
                    return false;
                };
                if let Some(flaw) = flaw {
                    let misfortune = Misfortune::Flaw(flaw);
                    let depth = if ticket.left.is_empty() {
                        Depth::Everything
                    } else {
                        Depth::Symbols
                    };
                    self.misfortunes.add(misfortune, depth, &ticket.path);
                }
                self.give_up(ticket);
                true
            }
        }
    }

    /// Ends whoever takes too long.
    fn watch(&mut self) {
        let now = clock::now();
        let all = now.since(self.began) >= TOTAL;
        for place in 0..self.seats.len() {
            let over = self.seats.get(place).is_some_and(|seat| {
                seat.as_ref().is_some_and(|seat| {
                    let cpu = || seat.helper.cpu().unwrap_or_default();
                    let over = |(_, budget): &(Ticket, Budget)| budget.is_over(now, cpu());
                    seat.work.as_ref().is_some_and(|work| all || over(work))
                })
            });
            if over && let Some(seat) = self.seats.get_mut(place).and_then(Option::take) {
                let why = if all {
                    Misfortune::Total
                } else {
                    Misfortune::Time
                };
                self.died(seat, Some(why));
            }
        }
        if all {
            let queue: Vec<_> = self.queue.drain(..).collect();
            for ticket in queue {
                self.lose(ticket, Misfortune::Total, Depth::Symbols);
            }
        }
    }

    /// A helper is gone, or is no good any more. What it worked on is tried once more,
    /// without debug information, by somebody else.
    fn died(&mut self, seat: Seat, why: Option<Misfortune>) {
        let Seat { helper, work } = seat;
        let ended = helper.end();
        let Some((mut ticket, _)) = work else { return };
        if why.is_none() && ended.code == Some(UNCONFINED.into()) {
            let why = "it could not give up its privileges";
            let _ = self.misfortunes.why_nobody.get_or_insert(why.into());
            self.lose(ticket, Misfortune::Nobody, Depth::Symbols);
            return;
        }
        let misfortune = why.unwrap_or_else(|| Misfortune::of(ended));
        if ticket.depth == Depth::Everything && misfortune != Misfortune::Total {
            self.misfortunes
                .add(misfortune, Depth::Everything, &ticket.path);
            ticket.depth = Depth::Symbols;
            ticket.ask = false;
            self.queue.push_back(ticket);
        } else {
            self.lose(ticket, misfortune, Depth::Symbols);
        }
    }

    fn lose(&mut self, ticket: Ticket, why: Misfortune, depth: Depth) {
        let path = match self.client.errand(ticket.job) {
            Some(errand) if ticket.path.is_empty() => errand.quest.path,
            _ => ticket.path.clone(),
        };
        if !path.is_empty() {
            self.misfortunes.add(why, depth, &path);
        }
        self.give_up(ticket);
    }

    fn give_up(&mut self, ticket: Ticket) {
        self.client.found(Find::Unknown(ticket.left.len()));
    }

    /// Asks servers for what is waited for.
    fn ask_servers(&mut self) {
        for place in 0..self.waiting.len() {
            if self.asked.len() >= MOST_FETCHED {
                return;
            }
            let wanted = self.waiting.get(place).and_then(|of| of.build_id.clone());
            let Some(wanted) = wanted.filter(|wanted| !self.asked.contains(wanted)) else {
                continue;
            };
            self.heard = clock::now();
            if self.ask_server(&wanted).is_err() {
                self.without_fetcher();
                return;
            }
            self.asked.push(wanted);
        }
    }

    fn ask_server(&mut self, wanted: &Wanted) -> io::Result<()> {
        let Some(settings) = self.search.servers() else {
            return Err(io::Error::other("no server is to be asked"));
        };
        if self.fetcher.is_none() {
            let program = self.search.program();
            let fetcher = Helper::start(program, WORD, Sight::Environment)?;
            let (home, bounds) = bounds(MEMORY, settings.largest().saturating_add(1), true)?;
            let role = Role::Fetch {
                settings: settings.clone(),
                failures: self.search.failures(),
                home,
            };
            fetcher.send(&Begin { bounds, role }, None)?;
            self.fetcher = Some(fetcher);
        }
        match &self.fetcher {
            Some(fetcher) => fetcher.send(wanted, None),
            None => Ok(()),
        }
    }

    fn listen_to_fetcher(&mut self) {
        let Some(fetcher) = &mut self.fetcher else {
            return;
        };
        let Ok((deliveries, open)) = fetcher.answers::<Delivery>() else {
            return self.without_fetcher();
        };
        let patience = self.search.servers().map_or(Nanos(0), |of| of.patience());
        let now = clock::now();
        if !deliveries.is_empty() {
            self.heard = now;
        }
        for delivery in deliveries {
            match delivery {
                Delivery::Bytes(bytes) => self.fetched = self.fetched.saturating_add(bytes),
                Delivery::Done {
                    build_id,
                    path,
                    failures,
                } => {
                    self.search.failed(failures);
                    self.asked.retain(|asked| *asked != build_id);
                    self.deliver(Some(&build_id), path.as_ref());
                }
            }
        }
        let hangs = !self.asked.is_empty() && now.since(self.heard) >= patience;
        if !open || hangs {
            self.without_fetcher();
        }
    }

    /// Goes on without what servers have.
    fn without_fetcher(&mut self) {
        self.fetcher = None;
        self.asked.clear();
        self.deliver(None, None);
    }

    /// Queues what waited for the file of `build_id` (`None`: for any).
    fn deliver(&mut self, build_id: Option<&Wanted>, path: Option<&PathBuf>) {
        let waited = std::mem::take(&mut self.waiting);
        for mut ticket in waited {
            if build_id.is_none() || ticket.build_id.as_ref() == build_id {
                ticket.fetched = path.cloned();
                self.queue.push_back(ticket);
            } else {
                self.waiting.push(ticket);
            }
        }
    }
}

/// What a helper may do that takes so much `memory` and writes files of this length
/// at most, and the home of whom it becomes.
fn bounds(memory: u64, file: u64, network: bool) -> io::Result<(Option<PathBuf>, Bounds)> {
    let caller = Identity::resolve(&RunAs::Caller);
    let caller = caller.map_err(|error| io::Error::other(error.to_string()))?;
    let caller: Option<UserId> = caller.files;
    let home = caller.as_ref().map(|caller| caller.home.clone());
    let person = caller.map(
        |UserId {
             uid, gid, groups, ..
         }| Person { uid, gid, groups },
    );
    let bounds = Bounds {
        person,
        parent: std::process::id().cast_signed(),
        memory,
        file,
        cpu: CPU,
        network,
    };
    Ok((home, bounds))
}

/// How much memory helpers may have in all.
fn memory() -> u64 {
    let available = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let mut lines = text.lines();
            let line = lines.find_map(|line| line.strip_prefix("MemAvailable:"))?;
            let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
            Some(kib << 10)
        });
    available.map_or(MEMORY, |available| {
        (available / 2).clamp(LEAST_MEMORY, MEMORY)
    })
}

fn length(named: &Named) -> usize {
    let names = named.symbol.functions.iter().map(String::len);
    let lines = named.lines.iter().flat_map(|lines| &lines.lines);
    let files = lines.flatten().map(|line| line.file.len());
    names.chain(files).sum()
}

/// Whether that is what eprof says.
fn is_sound(named: &Named) -> bool {
    let Named { symbol, lines } = named;
    let short = |text: &String| text.len() <= LONGEST_NAME;
    let count = symbol.functions.len();
    let names = (1..=MOST_INLINED).contains(&count) && symbol.functions.iter().all(short);
    let lines = lines.as_ref().is_none_or(|of| {
        of.frame == symbol.frame
            && of.lines.len() == count
            && of.lines.iter().flatten().all(|line| short(&line.file))
    });
    names && lines
}

fn interrupted_caveat(left: usize) -> Caveat {
    Caveat::new(
        "names-interrupted",
        format!("looking names up was interrupted by a signal, with {left} addresses left"),
    )
    .hint("eprof report looks again for what is missing")
}
