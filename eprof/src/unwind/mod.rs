//! From an interrupted thread to its callers, without frame pointers.
//!
//! ```text
//!  object ─► image ─► cfi ─► compile ─► store ─► table        (worker's thread)
//!                                         │        │
//!                    kernel's maps ◄──────┘        ▼
//!  address spaces ─► layout ─► kernel's maps     walk ◄── samples with a copy
//! ```
//!
//! The sampling program walks by the same tables and the same rules
//! (`eprof_common::rule`). What it cannot walk, because a table is not there
//! yet, it hands over as a copy of the stack.

mod cfi;
pub mod compile;
mod guess;
pub mod image;
mod layout;
mod store;
pub mod table;
pub mod walk;
mod worker;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use eprof_common::WalkEnd;

use crate::caveat::Caveat;
use crate::kernel::{KernelTables, Probe, Sample, StackEnd};
use crate::recording::ObjectId;
use crate::symbol::{AddressSpace, Location, Objects, Spaces};
use layout::Layouts;
use table::Table;
use walk::{Code, Step};
use worker::{Outcome, Worker};

/// What is known of the table of an object.
enum State {
    Requested,
    Ready(Arc<Table>),
    Without,
}

/// What tables cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Tables that were compiled.
    pub tables: u64,
    /// Their rows, in bytes.
    pub bytes: u64,
    /// Time that the compiling took.
    pub time: Duration,
    /// Time of the one that took longest.
    pub longest: Duration,
}

/// Knows the tables of all objects, tells the kernel of them, and walks where
/// the kernel did not.
pub struct Unwinder {
    worker: Worker,
    states: HashMap<ObjectId, State>,
    mask: u64,
    layouts: Layouts,
    cost: Cost,
    full: u64,
}

impl Unwinder {
    /// Without any table yet; `kernel` for the kernel to walk too. `mask` has
    /// the bits that an address of code can have.
    pub fn new(kernel: Option<KernelTables>, mask: u64) -> Self {
        Self {
            worker: Worker::new(kernel),
            states: HashMap::new(),
            mask,
            layouts: Layouts::default(),
            cost: Cost::default(),
            full: 0,
        }
    }

    /// Walks the rest of a sample's stack, if there is one. `space` is what
    /// was mapped when it was taken. `false` where a table is missing, which
    /// is then being compiled: to be called again when
    /// [`take_in`](Self::take_in) had something.
    pub fn complete(
        &mut self,
        sample: &mut Sample,
        space: &AddressSpace,
        objects: &Objects,
    ) -> bool {
        let Some(copy) = &sample.copy else {
            return true;
        };
        let mut steps = Vec::new();
        loop {
            let missing = Cell::new(None);
            let leaf = Cell::new(sample.user.is_empty());
            steps.clear();
            let end = walk::walk(
                copy,
                self.mask,
                |address| self.code(space, address, leaf.replace(false), &missing),
                &mut steps,
            );
            match missing.get() {
                Some(object) if end == WalkEnd::PENDING => {
                    if !self.request(object, objects) {
                        continue;
                    }
                    return false;
                }
                _ => {
                    finish(sample, &steps, end);
                    return true;
                }
            }
        }
    }

    /// Gives up on tables that are still missing.
    pub fn abandon(&self, sample: &mut Sample, space: &AddressSpace) {
        let Some(copy) = &sample.copy else {
            return;
        };
        let mut steps = Vec::new();
        let leaf = Cell::new(sample.user.is_empty());
        let end = walk::walk(
            copy,
            self.mask,
            |address| match self.code(space, address, leaf.replace(false), &Cell::new(None)) {
                Code::Pending => Code::NoTable,
                code => code,
            },
            &mut steps,
        );
        finish(sample, &steps, end);
    }

    fn code(
        &self,
        space: &AddressSpace,
        address: u64,
        leaf: bool,
        missing: &Cell<Option<ObjectId>>,
    ) -> Code {
        match space.locate(address) {
            Location::File { object, offset } => match self.states.get(&object) {
                Some(State::Ready(table)) => match table.relative(offset) {
                    Some(relative) => Code::Table(Arc::clone(table), relative),
                    None => Code::NoTable,
                },
                Some(State::Without) => Code::NoTable,
                Some(State::Requested) | None => {
                    missing.set(Some(object));
                    Code::Pending
                }
            },
            Location::Anonymous => Code::NoTable,
            // Where nothing is known, or the leaf is nowhere, frame pointers
            // are better than nothing.
            Location::Unmapped if leaf || space.is_empty() => Code::NoTable,
            Location::Unmapped => Code::Unknown,
        }
    }

    /// Sees to it that the table of an object is compiled; `false` where that
    /// cannot be.
    fn request(&mut self, object: ObjectId, objects: &Objects) -> bool {
        if matches!(self.states.get(&object), Some(State::Requested)) {
            return true;
        }
        let requested = objects
            .open(object)
            .is_some_and(|file| self.worker.request(object, file));
        let state = if requested {
            State::Requested
        } else {
            self.layouts.known(object);
            State::Without
        };
        self.states.insert(object, state);
        requested
    }

    /// Takes in the tables that were finished meanwhile; waits for one if
    /// asked to. Tells whether there was any.
    pub fn take_in(&mut self, wait: bool) -> bool {
        let finished = self.worker.finished(wait);
        for done in &finished {
            self.cost.bytes = self.cost.bytes.max(done.bytes);
            self.cost.time += done.took;
            self.cost.longest = self.cost.longest.max(done.took);
        }
        let any = !finished.is_empty();
        for done in finished {
            let state = match done.outcome {
                Outcome::Ready(table) => {
                    self.cost.tables += 1;
                    State::Ready(Arc::new(table))
                }
                Outcome::Without => State::Without,
                Outcome::Full => {
                    self.full += 1;
                    State::Without
                }
            };
            self.states.insert(done.object, state);
            self.layouts.known(done.object);
        }
        any
    }

    /// Whether tables are being compiled.
    pub fn is_busy(&self) -> bool {
        self.worker.is_busy()
    }

    /// Tells the kernel what is mapped where by now. To be called after each
    /// batch of events.
    pub fn publish(&mut self, probe: &mut Probe, spaces: &mut Spaces, objects: &Objects) {
        let Self {
            layouts, states, ..
        } = self;
        layouts.publish(probe, spaces, &|object| match states.get(&object) {
            Some(State::Ready(table)) => Some(Some(Arc::clone(table))),
            Some(State::Without) => Some(None),
            Some(State::Requested) | None => None,
        });
        // Before the first sample finds a table missing: until the kernel has
        // it, stacks are only known as far as they are copied.
        for object in self.layouts.missing() {
            if !self.states.contains_key(&object) {
                self.request(object, objects);
            }
        }
    }

    /// What the tables cost so far.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// What kept stacks from being whole.
    pub fn caveats(&self) -> Vec<Caveat> {
        let mut caveats = Vec::new();
        if self.full > 0 {
            caveats.push(Caveat::new(
                "tables-full",
                format!(
                    "there was no room for the unwind tables of {} files; stacks through \
                     their code are not whole",
                    self.full
                ),
            ));
        }
        caveats
    }
}

/// Adds what was walked to what the kernel walked.
fn finish(sample: &mut Sample, steps: &[Step], end: WalkEnd) {
    // A thread in the kernel whose stack is gone: its image is being replaced.
    let leaf_only = sample.user.is_empty() && steps.len() == 1;
    if end == WalkEnd::FAULT && leaf_only && !sample.kernel.is_empty() {
        sample.user_end = StackEnd::Absent;
        sample.copy = None;
        return;
    }
    for step in steps {
        if step.exact && !sample.user.is_empty() {
            sample.interrupted.push(sample.user.len());
        }
        sample.user.push(step.address);
    }
    sample.user_end = StackEnd::of(end);
    sample.copy = None;
}
