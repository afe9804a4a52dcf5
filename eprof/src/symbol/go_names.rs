//! Names of Go's functions in programs without symbols: Go's runtime keeps them
//! for itself (`funcnametab` of runtime/symtab.go). Calls that were inlined and
//! lines of the source are not told.

use std::fs::File;
use std::path::Path;

use super::named::{Named, name_each};
use crate::measurement::{FrameId, Segment};
use crate::unwind::bytes::Unchanged;
use crate::unwind::pclntab::GoNames;

/// Looks up `frames` (offsets in the file at `path`, which has `segments`);
/// returns those that have no name.
pub(super) fn look_up(
    path: &Path,
    segments: &[Segment],
    frames: &[(FrameId, u64)],
    found: &mut dyn FnMut(Vec<Named>),
) -> Vec<(FrameId, u64)> {
    let file = File::open(path).ok().and_then(Unchanged::new);
    let Some(mut names) = file.and_then(|file| GoNames::open(Box::new(file))) else {
        return frames.to_vec();
    };
    name_each(segments, frames, found, |address| names.name(address))
}
