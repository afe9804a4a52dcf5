//! Walks through copies of stacks beside everything else, and compiles the
//! pages that they lead through, so that the kernel can walk through these.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use eprof_common::sample::{FRAMES_KEPT, INTERRUPTED, ResumeFrame};
use eprof_common::{Registers, Rule, WalkEnd};

use super::bytes::Unchanged;
use super::live::Live;
use super::store::{Refusal, Store};
use super::table::Table;
use super::trampoline::{self, Kind};
use super::walk::{self, Step};
use crate::kernel::{KernelTables, StackCopy};
use crate::mappings::{AddressSpace, Location};
use crate::measurement::ObjectId;

/// Something to be done.
pub(super) enum Job {
    /// To open the file of an object.
    Open(ObjectId, File),
    /// To make the table for trampolines.
    Trampolines,
    /// To walk through a copy.
    Walk(Box<Walk>),
}

/// A walk that is to be continued in a copy.
pub(super) struct Walk {
    pub(super) ticket: u64,
    pub(super) copy: Box<StackCopy>,
    /// What was mapped then.
    pub(super) space: AddressSpace,
    /// Whether it has no frame yet.
    pub(super) leaf: bool,
}

/// What was done.
pub(super) enum Done {
    /// An object has a table, or none.
    Opened(ObjectId, Result<Arc<Table>, Refusal>),
    /// The table for trampolines begins at this page, if there is one.
    Trampolines(Option<u32>),
    /// A walk came to an end.
    Walked {
        ticket: u64,
        /// Bytes of its copy.
        size: usize,
        steps: Vec<Step>,
        end: WalkEnd,
        /// Pages that were compiled for it.
        compiled: u64,
        /// Pages so far that could not be.
        refused: u64,
    },
}

/// A thread that does one thing after the other. It begins with the first.
pub(super) struct Worker {
    store: Option<Store>,
    mask: u64,
    jobs: Option<Sender<Job>>,
    results: Option<Receiver<Done>>,
    /// Jobs that are not done yet.
    open: usize,
    /// Bytes of the copies among them.
    held: usize,
}

impl Worker {
    pub(super) fn new(kernel: Option<KernelTables>, mask: u64) -> Self {
        Self {
            store: Some(Store::new(kernel)),
            mask,
            jobs: None,
            results: None,
            open: 0,
            held: 0,
        }
    }

    /// Has something done; `false` where that cannot be.
    pub(super) fn ask(&mut self, job: Job) -> bool {
        if let Some(store) = self.store.take() {
            let (jobs, next) = channel();
            let (done, results) = channel();
            let mut bench = Bench {
                store,
                tables: HashMap::new(),
                mask: self.mask,
            };
            let run = move || {
                for job in next {
                    if done.send(bench.work(job)).is_err() {
                        return;
                    }
                }
            };
            let thread = std::thread::Builder::new().name("eprof-tables".to_owned());
            if thread.spawn(run).is_ok() {
                self.jobs = Some(jobs);
                self.results = Some(results);
            }
        }
        let size = match &job {
            Job::Walk(walk) => walk.copy.size(),
            Job::Open(..) | Job::Trampolines => 0,
        };
        let jobs = self.jobs.as_ref();
        let sent = jobs.is_some_and(|jobs| jobs.send(job).is_ok());
        self.open += usize::from(sent);
        self.held += if sent { size } else { 0 };
        sent
    }

    /// What was done since the last time. Waits for the next thing if asked
    /// to, and there is one to wait for.
    pub(super) fn done(&mut self, wait: bool) -> Vec<Done> {
        let Some(results) = &self.results else {
            return Vec::new();
        };
        let mut done = Vec::new();
        if wait && self.open > 0 {
            match results.recv() {
                Ok(first) => done.push(first),
                // The thread is gone, and nothing will come any more.
                Err(_) => self.open = 0,
            }
        }
        done.extend(results.try_iter());
        self.open = self.open.saturating_sub(done.len());
        for done in &done {
            if let Done::Walked { size, .. } = done {
                self.held = self.held.saturating_sub(*size);
            }
        }
        done
    }

    /// Bytes of the copies that are not walked through yet.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Jobs that are not done yet.
    pub(super) fn open(&self) -> usize {
        self.open
    }
}

/// What the thread works with.
struct Bench {
    store: Store,
    tables: HashMap<ObjectId, Arc<Table>>,
    mask: u64,
}

impl Bench {
    fn work(&mut self, job: Job) -> Done {
        match job {
            Job::Open(object, file) => {
                let opened = Unchanged::new(file)
                    .ok_or(Refusal::Without)
                    .and_then(|file| self.store.open(Box::new(file)));
                if let Ok(table) = &opened {
                    self.tables.insert(object, Arc::clone(table));
                }
                Done::Opened(object, opened)
            }
            Job::Trampolines => {
                // One kind after the other.
                let [first, last] = Kind::ALL.map(|kind| self.store.add(&kind.page()));
                Done::Trampolines(first.filter(|_| last.is_some()))
            }
            Job::Walk(walk) => self.walk(&walk),
        }
    }

    fn walk(&mut self, job: &Walk) -> Done {
        let before = self.store.compiled();
        let leaf = Cell::new(job.leaf);
        let mut at = job.copy.registers;
        let mut steps = Vec::new();
        let beyond = job.copy.beyond.as_ref();
        let mut end = walk::walk(
            &mut at,
            self.mask,
            |address| self.code(job, address, leaf.replace(false)),
            |address| walk::word(&job.copy, address),
            beyond.map(|beyond| &beyond.first),
            &mut steps,
        );
        match beyond {
            Some(beyond) if end == WalkEnd::ON => {
                steps.extend(beyond.frames.iter().map(|frame| Step {
                    address: frame & !INTERRUPTED,
                    exact: frame & INTERRUPTED != 0,
                    resume: None,
                }));
                end = match beyond.end {
                    WalkEnd::ROOT if at.flags & Registers::DOUBTED != 0 => WalkEnd::NO_TABLE,
                    end => end,
                };
            }
            _ => self.look_ahead(job, at, &steps, end),
        }
        Done::Walked {
            ticket: job.ticket,
            size: job.copy.size(),
            steps,
            end,
            compiled: self.store.compiled() - before,
            refused: self.store.refused(),
        }
    }

    /// Of a stack that goes on elsewhere, or deeper than it was copied, the rest is not
    /// known. But the next samples will find it again. So it is walked as it is by now:
    /// that compiles the code which it leads through, and the kernel is told where its
    /// frames lie.
    fn look_ahead(&mut self, job: &Walk, mut at: Registers, steps: &[Step], end: WalkEnd) {
        let mut rest = Vec::new();
        let goes_on = matches!(end, WalkEnd::COPY_ENDS | WalkEnd::FAULT);
        if let Some(live) = Live::of(job.copy.process).filter(|_| goes_on) {
            let word = |address| match walk::word(&job.copy, address) {
                Ok(word) => Ok(word),
                Err(_) => live.word(address),
            };
            let mask = self.mask;
            let code = |address| self.code(job, address, false);
            walk::walk(&mut at, mask, code, word, None, &mut rest);
        }
        let frames = steps.iter().chain(&rest).filter_map(|step| step.resume);
        let frames: Vec<ResumeFrame> = frames.take(FRAMES_KEPT).collect();
        self.store.tell(job.copy.thread, &frames);
    }

    /// The rule for the code at an address; `None` where there is no code.
    fn code(&mut self, job: &Walk, address: u64, leaf: bool) -> Option<Rule> {
        let none = Rule::of(Rule::NONE);
        let space = &job.space;
        match space.locate(address) {
            Location::File { object, offset } => {
                let table = self.tables.get(&object);
                let known = table.and_then(|table| Some((table, table.relative(offset)?)));
                Some(known.map_or(none, |(table, relative)| self.store.rule(table, relative)))
            }
            Location::Anonymous => {
                let begin = address - address % trampoline::STEP as u64;
                let live = Live::of(job.copy.process);
                let kind = live.and_then(|live| live.trampoline(begin));
                Some(kind.map_or(none, |kind| kind.rule(address)))
            }
            // Where nothing is known, or the leaf is nowhere, frame pointers
            // are better than nothing.
            Location::Unmapped if leaf || space.is_empty() => Some(none),
            Location::Unmapped => None,
        }
    }
}
