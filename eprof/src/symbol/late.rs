//! Names for what a recording did not resolve, perhaps on another machine, by
//! the build ids that it holds: never by a path alone.

use std::collections::BTreeSet;

use super::beginnings::is_made_up;
use super::lookup::Names;
use super::outline::Outline;
use super::resolve::{Job, Origin, Progress, Resolution, jobs, work};
use super::search::Search;
use crate::measurement::{FrameId, ObjectId};
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
    let mut resolution = work(
        &jobs,
        search,
        |job, news| {
            let Origin::Object(object) = job.origin else {
                return;
            };
            let nameless = job.frames.iter().any(|(frame, _)| !named.contains(frame));
            let (files, outline) = files(catalog, object, search, nameless);
            let segments = match catalog.segments.get(&object) {
                Some(segments) => segments.as_slice(),
                None => outline.segments.as_slice(),
            };
            job.in_files(&files, segments, news);
        },
        progress,
    )
    .resolution;
    // A name that is known stays, unless it comes with its lines.
    let with_lines: BTreeSet<FrameId> = resolution.lines.iter().map(|of| of.frame).collect();
    resolution
        .symbols
        .retain(|of| !named.contains(&of.frame) || with_lines.contains(&of.frame));
    resolution.caveats.extend(search.caveat());
    resolution
}

/// The files that know the names of `object`, and the outline of the object
/// itself where that was found.
fn files(
    catalog: &Catalog,
    object: ObjectId,
    search: &Search,
    nameless: bool,
) -> (Vec<Names>, Outline) {
    let Some(object) = catalog.objects.get(object.0 as usize) else {
        return Default::default();
    };
    let Some(build_id) = object.build_id.as_deref() else {
        return Default::default();
    };
    let whole = search.object(&object.path, build_id);
    let outline = whole
        .as_ref()
        .and_then(|path| std::fs::File::open(path).ok());
    let outline = outline.map(|file| Outline::of(&file)).unwrap_or_default();
    let mut files = Vec::new();
    if !outline.debug_info {
        let debug = search.debug_file(build_id);
        let debug = debug.or_else(|| search.fetched(build_id));
        files.extend(debug.map(Names::Debug));
    }
    if nameless || outline.debug_info {
        files.extend(whole.map(Names::Whole));
    }
    (files, outline)
}
