//! Where the code of the target's processes lies, while they live.

use std::ops::ControlFlow;

use super::generated::Compilers;
use super::resolve;
use super::resolve::{Progress, Resolution};
use super::search::Search;
use crate::kernel::{KernelEvent, Sample};
use crate::mappings::{AddressSpace, Objects, Spaces};
use crate::measurement::{Frame, TaskId};

/// Where all code of the target lies: feed it every batch of kernel events in
/// order of time, and ask it for the context of each sample on the way.
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
                self.spaces.created(task);
                self.compilers.created(task, parent);
            }
            KernelEvent::Mapped(mapping) => {
                let object = self.objects.intern(mapping);
                self.spaces.mapped(mapping, object);
                if let Some(process) = self.spaces.leader_of(mapping.pid) {
                    let objects = &self.objects;
                    self.compilers.mapped(process, mapping, object, objects);
                }
            }
            KernelEvent::Gone { task, .. } => self.spaces.gone(*task),
            KernelEvent::Renamed { .. } | KernelEvent::Sample(_) => {}
        }
    }

    /// What was mapped where `sample` was taken: every event before it must have
    /// been applied, and none after it. `None` where nothing is known of its
    /// process.
    pub fn context(&self, sample: &Sample) -> Option<SampleContext> {
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

    /// Forgets processes that ended, and opens the perf maps that came into being.
    /// To be called after each batch.
    pub fn end_batch(&mut self) {
        self.spaces.forget_ended();
        self.spaces.find_moved(&self.objects);
        self.compilers.open_maps();
    }

    /// Finds the functions of `frames`, whose position is their id: in the
    /// files that were mapped, in code that was made at run time, and in the
    /// running kernel. The names come from symbol tables and debug information
    /// (also separate, found through `search`), demangled, with inlined calls
    /// and source lines. `progress` is told now and then how far it has come, and
    /// may end the search.
    pub fn resolve(
        &self,
        frames: &[Frame],
        search: &Search,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Resolution {
        resolve::resolve(&self.objects, &self.compilers, search, frames, progress)
    }

    /// The files that code was mapped from; grows at the end only, and frames
    /// name objects by their position.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }
}
