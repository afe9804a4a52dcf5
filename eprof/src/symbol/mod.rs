//! From addresses to functions: what was mapped where while the processes
//! lived, and the names after the run.

mod identity;
mod live;
pub mod object;
pub mod process;
pub mod resolve;
pub mod space;
pub mod stack;

use crate::kernel::{KernelEvent, Sample};
use crate::recording::Frame;

pub use object::Objects;
pub use process::Spaces;
pub use resolve::{Resolution, resolve};
pub use space::{AddressSpace, Location};

/// Where all code of the target lies: feed it every batch of kernel events in
/// order of time, and ask it for the frames of each sample on the way.
#[derive(Debug, Default)]
pub struct Atlas {
    objects: Objects,
    spaces: Spaces,
}

impl Atlas {
    /// Takes notice of `event`. Samples and new names change nothing.
    pub fn apply(&mut self, event: &KernelEvent) {
        match event {
            KernelEvent::Born(task) => self.spaces.born(task),
            KernelEvent::Mapped(mapping) => {
                let object = self.objects.intern(mapping);
                self.spaces.mapped(mapping, object);
            }
            KernelEvent::Gone { task, .. } => self.spaces.gone(*task),
            KernelEvent::Renamed { .. } | KernelEvent::Sample(_) => {}
        }
    }

    /// The frames of `sample`, root first, by what was mapped at its time:
    /// every event before it must have been applied, and none after it.
    pub fn frames(&self, sample: &Sample) -> Vec<Frame> {
        match sample.task.and_then(|task| self.spaces.of(task)) {
            Some(space) => stack::frames(sample, true, |address| space.locate(address)),
            None => stack::frames(sample, false, |_| Location::Unmapped),
        }
    }

    /// Forgets processes that ended; to be called after each batch.
    pub fn settle(&mut self) {
        self.spaces.settle();
    }

    /// The files that code was mapped from; grows at the end only, and frames
    /// name objects by their position.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }
}

/// Sorts a batch of events by time. At the same time, what comes into being
/// goes before what happens to it.
pub fn in_order(events: &mut [KernelEvent]) {
    events.sort_by_key(|event| match event {
        KernelEvent::Born(task) => (task.born, 0),
        KernelEvent::Mapped(mapping) => (mapping.at, 1),
        KernelEvent::Renamed { at, .. } => (*at, 2),
        KernelEvent::Sample(sample) => (sample.at, 3),
        KernelEvent::Gone { at, .. } => (*at, 4),
    });
}
