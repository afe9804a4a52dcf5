//! The tables of all objects that a target runs: asked for, told to the kernel, and
//! used for the walks that the kernel could not end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use eprof_common::WalkEnd;

use super::layout::Layouts;
use super::store::Refusal;
use super::table::Table;
use super::walk::Step;
use super::worker::{Done, Job, Walk, Worker};
use crate::caveat::{Caveat, counted};
use crate::kernel::{KernelTables, Probe, Sample};
use crate::mappings::{AddressSpace, Objects, Spaces};
use crate::measurement::{ObjectId, StackEnd};

/// Most bytes of copies of stacks whose walks wait.
const MOST_HELD: usize = 32 << 20;

/// When walks have met no new page so many times in a row, no sample is worth
/// waking up for.
const USELESS: u32 = 16;

/// What is known of the table of an object.
enum State {
    Requested,
    Ready(Arc<Table>),
    Without,
}

/// A walk that is to be continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// The rest of a walk.
#[derive(Debug)]
pub struct Walked {
    steps: Vec<Step>,
    end: WalkEnd,
}

/// Knows the tables of all objects, tells the kernel of them, and walks where
/// the kernel did not.
pub struct Unwinder {
    worker: Worker,
    states: HashMap<ObjectId, State>,
    layouts: Layouts,
    /// The first page of the table for trampolines, once it is there.
    trampolines: Option<u32>,
    /// Whether it was asked for.
    asked: bool,
    /// Objects for which there was no room, and pages.
    full: (u64, u64),
    tickets: u64,
    /// How often there were walks since a page was compiled last.
    useless: u32,
}

impl Unwinder {
    /// Without any table yet; `kernel` for the kernel to walk too. `mask` has
    /// the bits that an address of code can have.
    pub fn new(kernel: Option<KernelTables>, mask: u64) -> Self {
        Self {
            worker: Worker::new(kernel, mask),
            states: HashMap::new(),
            layouts: Layouts::default(),
            trampolines: None,
            asked: false,
            full: (0, 0),
            tickets: 0,
            useless: 0,
        }
    }

    /// Begins to walk the rest of a sample's stack, if there is one. `space`
    /// is what was mapped when it was taken. [`take_in`](Self::take_in) will
    /// have the rest; `None` where the sample is complete.
    pub fn begin(
        &mut self,
        sample: &mut Sample,
        space: &AddressSpace,
        objects: &Objects,
    ) -> Option<Ticket> {
        let copy = sample.copy.take()?;
        for object in space.objects() {
            self.request(object, objects);
        }
        self.tickets += 1;
        let walk = Walk {
            ticket: self.tickets,
            copy,
            space: space.clone(),
            leaf: sample.user.is_empty(),
        };
        let room = self.worker.held() < MOST_HELD;
        if room && self.worker.ask(Job::Walk(Box::new(walk))) {
            return Some(Ticket(self.tickets));
        }
        sample.user_end = StackEnd::of(WalkEnd::PENDING);
        None
    }

    /// Sees to it that an object has a table, if it can.
    fn request(&mut self, object: ObjectId, objects: &Objects) {
        if self.states.contains_key(&object) {
            return;
        }
        let requested = objects
            .open(object)
            .is_some_and(|file| self.worker.ask(Job::Open(object, file)));
        let state = if requested {
            State::Requested
        } else {
            self.layouts.known(object);
            State::Without
        };
        self.states.insert(object, state);
    }

    /// Takes in what was done meanwhile; waits for something if asked to.
    /// Gives the walks that came to their end.
    pub fn take_in(&mut self, wait: bool) -> HashMap<Ticket, Walked> {
        let mut walks = HashMap::new();
        let mut learnt = false;
        for done in self.worker.done(wait) {
            match done {
                Done::Opened(object, opened) => {
                    learnt = true;
                    self.full.0 += u64::from(opened == Err(Refusal::Full));
                    let state = opened.map_or(State::Without, State::Ready);
                    self.states.insert(object, state);
                    self.layouts.known(object);
                }
                Done::Trampolines(first) => {
                    self.trampolines = first;
                    self.layouts.known_trampolines();
                }
                Done::Walked {
                    ticket,
                    size: _,
                    steps,
                    end,
                    compiled,
                    refused,
                } => {
                    self.full.1 = refused;
                    learnt |= compiled > 0;
                    walks.insert(Ticket(ticket), Walked { steps, end });
                }
            }
        }
        if learnt {
            self.useless = 0;
        } else if !walks.is_empty() {
            self.useless = self.useless.saturating_add(1);
        }
        walks
    }

    /// Whether walks are to come to their end.
    pub fn is_busy(&self) -> bool {
        self.worker.open() > 0
    }

    /// Whether the next sample that the kernel could not walk is likely to be
    /// through code that is not known yet: then the kernel had better be told
    /// of it soon.
    pub fn is_learning(&self) -> bool {
        self.useless < USELESS
    }

    /// Tells the kernel what is mapped where by now. To be called after each
    /// batch of events.
    pub fn publish(&mut self, probe: &mut Probe, spaces: &mut Spaces, objects: &Objects) {
        let Self {
            layouts,
            states,
            trampolines,
            ..
        } = self;
        let tables = |object| match states.get(&object) {
            Some(State::Ready(table)) => Some(Some(Arc::clone(table))),
            Some(State::Without) => Some(None),
            Some(State::Requested) | None => None,
        };
        layouts.publish(probe, spaces, &tables, *trampolines);
        if self.layouts.has_trampolines() && !self.asked {
            self.asked = true;
            self.worker.ask(Job::Trampolines);
        }
        // Before the first sample is taken there.
        let missing: HashSet<ObjectId> = self.layouts.missing().collect();
        for object in missing {
            self.request(object, objects);
        }
    }

    /// What kept stacks from being whole.
    pub fn caveats(&self) -> Vec<Caveat> {
        let mut caveats = Vec::new();
        let (objects, pages) = self.full;
        if objects + pages > 0 {
            caveats.push(Caveat::new(
                "tables-full",
                format!(
                    "there was no room for the unwind tables of {} and of {} of code of others; \
                     stacks through their code are not whole",
                    counted(objects, "file", "files"),
                    counted(pages, "page", "pages")
                ),
            ));
        }
        caveats
    }
}

/// Adds what was walked to what the kernel walked.
pub fn finish(sample: &mut Sample, walked: &Walked) {
    let Walked { steps, end } = walked;
    // A thread in the kernel whose stack is gone: its image is being replaced.
    let leaf_only = sample.user.is_empty() && steps.len() == 1;
    if *end == WalkEnd::FAULT && leaf_only && !sample.kernel.is_empty() {
        sample.user_end = StackEnd::Absent;
        return;
    }
    for step in steps {
        if step.exact && !sample.user.is_empty() {
            sample.interrupted.push(sample.user.len());
        }
        sample.user.push(step.address);
    }
    sample.user_end = StackEnd::of(*end);
}
