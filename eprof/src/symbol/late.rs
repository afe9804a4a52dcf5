//! Names for what a recording did not resolve, perhaps on another machine, by
//! the build ids that it holds: never by a path alone.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::beginnings::is_made_up;
use super::child::{Depth, Errand, Quest};
use super::resolve::{Job, Origin, Progress, Resolution, jobs, work};
use super::search::Search;
use crate::measurement::FrameId;
use crate::recording::Catalog;

/// Finds the functions of the frames of `catalog` that have none, and with
/// `lines` also the source lines of those that have none, through `search`.
/// Kernel code and code that was made at run time is not looked for: what
/// named it is gone.
pub fn late(
    catalog: &Catalog,
    search: &Search,
    lines: bool,
    progress: &mut dyn FnMut(Progress),
) -> Resolution {
    let symbols = catalog.symbols.iter();
    let mut known: BTreeSet<FrameId> = symbols
        .filter(|of| !of.functions.iter().all(|name| is_made_up(name)))
        .map(|of| of.frame)
        .collect();
    let named = known.clone();
    if lines {
        known.retain(|frame| catalog.lines.contains_key(frame));
    }
    let unknown = |job: Job| {
        let Origin::Object(object) = job.origin else {
            return None;
        };
        let frames = job.frames.into_iter();
        let frames: Vec<_> = frames.filter(|(frame, _)| !known.contains(frame)).collect();
        let recorded = catalog.objects.get(object.0 as usize)?;
        recorded.build_id.as_ref()?;
        (!frames.is_empty()).then_some((object, frames))
    };
    // What has a name and lacks lines only is apart: it is worth nothing but
    // debug information.
    let jobs: Vec<Job> = jobs(&catalog.frames)
        .into_iter()
        .filter_map(unknown)
        .map(|(object, frames)| Job {
            origin: Origin::Object(object),
            frames,
        })
        .collect();
    let errand = |job: &Job| {
        let Origin::Object(id) = job.origin else {
            return None;
        };
        let object = catalog.objects.get(id.0 as usize)?;
        let segments = catalog.segments.get(&id).cloned();
        Some(Errand {
            quest: Quest {
                path: object.path.clone(),
                build_id: object.build_id.clone(),
                segments: segments.unwrap_or_default(),
                frames: Vec::new(),
                nameless: job.frames.iter().any(|(frame, _)| !named.contains(frame)),
                depth: Depth::Everything,
                ask: false,
                fetched: None,
            },
            file: None,
        })
    };
    let mut progress = |so_far| {
        progress(so_far);
        ControlFlow::Continue(())
    };
    let mut resolution = work(&jobs, search, errand, |_, _| {}, &mut progress).resolution;
    // A name that is known stays, unless it comes with its lines.
    let with_lines: BTreeSet<FrameId> = resolution.lines.iter().map(|of| of.frame).collect();
    resolution
        .symbols
        .retain(|of| !named.contains(&of.frame) || with_lines.contains(&of.frame));
    resolution.caveats.extend(search.caveat());
    resolution
}
