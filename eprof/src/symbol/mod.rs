//! From addresses to functions: what was mapped where while the processes
//! lived, and the names after the run.

mod debuginfod;
mod generated;
mod go_names;
mod jitdump;
mod kernel_names;
mod late;
mod lookup;
mod outline;
mod perf_map;
mod ranges;
mod resolve;
mod search;
pub mod stack;

use crate::kernel::{KernelEvent, Sample};
use crate::mappings::{AddressSpace, Objects, Spaces};
use crate::measurement::{Frame, TaskId};
use generated::Compilers;

pub use late::late;

pub use resolve::{Progress, Resolution};
pub use search::Search;

/// Where all code of the target lies: feed it every batch of kernel events in
/// order of time, and ask it for the frames of each sample on the way.
#[derive(Debug, Default)]
pub struct ProcessMaps {
    objects: Objects,
    spaces: Spaces,
    compilers: Compilers,
}

/// What the addresses of a sample mean.
#[derive(Clone, Debug, Default)]
pub struct SampleContext {
    /// What was mapped.
    pub space: AddressSpace,
    /// The process, where it is known.
    pub process: Option<TaskId>,
}

impl ProcessMaps {
    /// Takes notice of `event`. Samples and new names change nothing.
    pub fn apply(&mut self, event: &KernelEvent) {
        match event {
            KernelEvent::Created(task) => {
                let parent = task.parent.and_then(|parent| self.spaces.leader(parent));
                self.spaces.born(task);
                self.compilers.born(task, parent);
            }
            KernelEvent::Mapped(mapping) => {
                let object = self.objects.intern(mapping);
                self.spaces.mapped(mapping, object);
                if let Some(process) = self.spaces.leader_of(mapping.pid) {
                    self.compilers.mapped(process, mapping, object);
                }
            }
            KernelEvent::Gone { task, .. } => self.spaces.gone(*task),
            KernelEvent::Renamed { .. } | KernelEvent::Sample(_) => {}
        }
    }

    /// The frames of `sample`, root first, by what was mapped at its time:
    /// every event before it must have been applied, and none after it. To be
    /// asked for when its stack is complete.
    pub fn frames(&self, sample: &Sample) -> Vec<Frame> {
        stack::frames_in(sample, self.place(sample).as_ref())
    }

    /// Where `sample` was taken: to be asked for as [`frames`](Self::frames)
    /// is. `None` where nothing is known of its process.
    pub fn place(&self, sample: &Sample) -> Option<SampleContext> {
        let task = sample.task?;
        Some(SampleContext {
            space: self.spaces.of(task)?.clone(),
            process: self.spaces.leader(task),
        })
    }

    /// What is mapped in all processes, and the files.
    pub fn spaces(&mut self) -> (&mut Spaces, &Objects) {
        (&mut self.spaces, &self.objects)
    }

    /// Forgets processes that ended; to be called after each batch.
    pub fn settle(&mut self) {
        self.spaces.settle();
        self.compilers.settle();
    }

    /// Finds the functions of `frames`, whose position is their id: in the
    /// files that were mapped, in code that was made at run time, and in the
    /// running kernel. The names come from symbol tables and debug information
    /// (also separate, found through `search`), demangled, with inlined calls
    /// and source lines. `progress` is told now and then how far it has come.
    pub fn resolve(
        &self,
        frames: &[Frame],
        search: &Search,
        progress: &mut dyn FnMut(Progress),
    ) -> Resolution {
        resolve::resolve(&self.objects, &self.compilers, search, frames, progress)
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
        KernelEvent::Created(task) => (task.began, 0),
        KernelEvent::Mapped(mapping) => (mapping.at, 1),
        KernelEvent::Renamed { at, .. } => (*at, 2),
        KernelEvent::Sample(sample) => (sample.at, 3),
        KernelEvent::Gone { at, .. } => (*at, 4),
    });
}
