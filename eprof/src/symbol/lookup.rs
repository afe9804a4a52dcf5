//! Looking up addresses in files with names, one file after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Symbolized, Symbolizer};

use super::go_names;
use super::named::Named;
use super::outline::address;
use crate::measurement::{FrameId, Line, Lines, Segment, Symbol};

/// Where open files have a path.
const DESCRIPTORS: &str = "/proc/self/fd";

/// How many frames are looked up between two reports of progress.
const BATCH: usize = 256;

/// A file with names.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// The file that was mapped.
    Whole(PathBuf),
    /// Debug information of that file, in another one.
    Debug(PathBuf),
}

/// Looks up `frames` (offsets in the file that was mapped, which has
/// `segments`) in the first of `files` that knows
/// each; of those that are not marked, debug information is not looked at. `found` is told now and then what was found, in the end of how many
/// frames in all nothing was.
pub(super) fn look_up(
    files: &[(Names, bool)],
    segments: &[Segment],
    frames: &[(FrameId, u64)],
    found: &mut dyn FnMut(Vec<Named>),
) -> usize {
    let mut left = frames.to_vec();
    for &(ref file, debug) in files {
        if left.is_empty() {
            break;
        }
        let (unknown, failed) = one_file(file, debug, segments, &left, found);
        left = unknown;
        if failed && debug {
            // Broken debug information must not hide the symbol table.
            left = one_file(file, false, segments, &left, found).0;
        }
    }
    for (file, _) in files {
        if let (Names::Whole(path), false) = (file, left.is_empty()) {
            left = go_names::look_up(path, segments, &left, found);
        }
    }
    left.len()
}

/// Looks up `frames` in `file`; returns those that it does not know, and
/// whether anything of it could not be read.
fn one_file(
    file: &Names,
    debug: bool,
    segments: &[Segment],
    frames: &[(FrameId, u64)],
    found: &mut dyn FnMut(Vec<Named>),
) -> (Vec<(FrameId, u64)>, bool) {
    // A file has no way to others but by its descriptors.
    let symbolizer = Symbolizer::builder()
        .set_debug_dirs(Some([DESCRIPTORS]))
        .build();
    let (Names::Whole(path) | Names::Debug(path)) = file;
    let source = elf(path, debug);
    let mut unknown = Vec::new();
    let mut failed = false;
    for batch in frames.chunks(BATCH) {
        let mut known = Vec::with_capacity(batch.len());
        let mut addresses = Vec::with_capacity(batch.len());
        for &(frame, offset) in batch {
            let there = match file {
                Names::Debug(_) => address(segments, offset),
                Names::Whole(_) => Some(offset),
            };
            match there {
                Some(there) => {
                    known.push((frame, offset));
                    addresses.push(there);
                }
                None => unknown.push((frame, offset)),
            }
        }
        // The files belong to the target and may hold anything; a flaw in a
        // parser must cost the names of one batch at most.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let input = match file {
                Names::Whole(_) => Input::FileOffset(addresses.as_slice()),
                Names::Debug(_) => Input::VirtOffset(addresses.as_slice()),
            };
            let found = symbolizer.symbolize(&source, input).ok()?;
            Some(found.into_iter().map(named).collect::<Vec<_>>())
        }));
        let result = result.ok().flatten();
        failed |= result.is_none();
        let result = result.unwrap_or_default();
        let mut result = result.into_iter();
        let mut those = Vec::new();
        for (frame, offset) in known {
            match result.next().flatten() {
                Some(named) => those.push(named(frame)),
                None => unknown.push((frame, offset)),
            }
        }
        found(those);
    }
    (unknown, failed)
}

fn elf(path: &Path, debug: bool) -> Source<'static> {
    let mut elf = Elf::new(path.to_owned());
    elf.debug_syms = debug;
    Source::Elf(elf)
}

/// What was found, waiting for its frame.
fn named(found: Symbolized<'_>) -> Option<impl FnOnce(FrameId) -> Named + use<>> {
    let found = found.into_sym()?;
    if found.name.is_empty() {
        return None;
    }
    let outermost = (found.name.as_ref(), found.code_info.as_deref());
    let inlined = found.inlined.iter();
    let inlined = inlined.map(|inlined| (inlined.name.as_ref(), inlined.code_info.as_ref()));
    let (functions, lines): (Vec<String>, Vec<Option<Line>>) = std::iter::once(outermost)
        .chain(inlined)
        .map(|(name, place)| (name.to_owned(), place.and_then(line)))
        .unzip();
    Some(move |frame| Named {
        lines: lines
            .iter()
            .any(Option::is_some)
            .then_some(Lines { frame, lines }),
        symbol: Symbol { frame, functions },
    })
}

fn line(place: &CodeInfo<'_>) -> Option<Line> {
    Some(Line {
        file: place.to_path().to_string_lossy().into_owned(),
        // Zero: no line at all (DWARF 5, 6.2.2).
        number: place.line.filter(|&number| number > 0)?,
    })
}
