//! Looking up addresses in files with names, one file after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Symbolized, Symbolizer};

use super::named::Named;
use super::outline::address;
use super::{beginnings, go_names};
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

/// Looks up `frames` (offsets in the file that was mapped, which has `segments`) in the
/// first of `files` that knows each; of those that are not marked, debug information is
/// not looked at. `found` is told now and then what was found. Returns of how many
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
        left = one_file(file, debug, segments, &left, found);
    }
    for (file, _) in files {
        if let (Names::Whole(path), false) = (file, left.is_empty()) {
            left = go_names::look_up(path, segments, &left, found);
            left = beginnings::look_up(path, segments, &left, found);
        }
    }
    left.len()
}

/// Looks up `frames` in `file`, with `debug` also in its debug information; returns
/// those that it does not know.
fn one_file(
    file: &Names,
    debug: bool,
    segments: &[Segment],
    frames: &[(FrameId, u64)],
    found: &mut dyn FnMut(Vec<Named>),
) -> Vec<(FrameId, u64)> {
    // A file has no way to others but by its descriptors.
    let symbolizer = Symbolizer::builder()
        .set_debug_dirs(Some([DESCRIPTORS]))
        .build();
    let (Names::Whole(path) | Names::Debug(path)) = file;
    let mut unknown = Vec::new();
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
        // parser must cost the names of one batch at most. Broken debug
        // information must not hide the symbol table.
        let look = |debug| {
            let result = catch_unwind(AssertUnwindSafe(|| {
                let input = match file {
                    Names::Whole(_) => Input::FileOffset(addresses.as_slice()),
                    Names::Debug(_) => Input::VirtOffset(addresses.as_slice()),
                };
                let found = symbolizer.symbolize(&elf(path, debug), input).ok()?;
                Some(found.into_iter().map(functions).collect::<Vec<_>>())
            }));
            result.ok().flatten().unwrap_or_default().into_iter()
        };
        let mut described = debug.then(|| look(true)).into_iter().flatten();
        let mut listed = look(false);
        let mut those = Vec::new();
        for (frame, offset) in known {
            match both(described.next().flatten(), listed.next().flatten()) {
                Some(functions) => those.push(named(frame, functions)),
                None => unknown.push((frame, offset)),
            }
        }
        found(those);
    }
    unknown
}

/// Functions, outermost first, and where they are in the source.
type Functions = Vec<(String, Option<Line>)>;

/// What debug information and the symbol table say together. The former knows what was
/// inlined, but often not in which module or namespace a function is: then functions of
/// one name could not be told apart.
fn both(described: Option<Functions>, listed: Option<Functions>) -> Option<Functions> {
    let Some(mut functions) = described else {
        return listed;
    };
    let full = listed.and_then(|listed| listed.into_iter().next());
    if let (Some((short, _)), Some((full, _))) = (functions.first_mut(), full)
        && !is_qualified(short)
        && is_qualified(&full)
    {
        *short = full;
    }
    Some(functions)
}

/// Whether a demangled name says where the function belongs to: `::` before what is
/// generic about it.
fn is_qualified(name: &str) -> bool {
    let plain = name.split(['<', '(']).next().unwrap_or(name);
    plain.contains("::") || plain.is_empty() && name.contains("::")
}

fn elf(path: &Path, debug: bool) -> Source<'static> {
    let mut elf = Elf::new(path.to_owned());
    elf.debug_syms = debug;
    Source::Elf(elf)
}

/// What was found, if it has a name.
fn functions(found: Symbolized<'_>) -> Option<Functions> {
    let found = found.into_sym()?;
    if found.name.is_empty() {
        return None;
    }
    let outermost = (found.name.as_ref(), found.code_info.as_deref());
    let inlined = found.inlined.iter();
    let inlined = inlined.map(|inlined| (inlined.name.as_ref(), inlined.code_info.as_ref()));
    let all = std::iter::once(outermost).chain(inlined);
    let functions = all.map(|(name, place)| (name.to_owned(), place.and_then(line)));
    Some(functions.collect())
}

fn named(frame: FrameId, functions: Functions) -> Named {
    let (functions, lines): (Vec<String>, Vec<Option<Line>>) = functions.into_iter().unzip();
    Named {
        lines: lines
            .iter()
            .any(Option::is_some)
            .then_some(Lines { frame, lines }),
        symbol: Symbol { frame, functions },
    }
}

fn line(place: &CodeInfo<'_>) -> Option<Line> {
    Some(Line {
        file: place.to_path().to_string_lossy().into_owned(),
        // Zero: no line at all (DWARF 5, 6.2.2).
        number: place.line.filter(|&number| number > 0)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Option<Functions> {
        let functions = names.iter().map(|name| ((*name).to_owned(), None));
        (!names.is_empty()).then(|| functions.collect())
    }

    #[test]
    fn a_short_name_is_replaced_by_the_full_one() {
        for (described, listed, both_say) in [
            (
                &["step"][..],
                &["parser::step(double)"][..],
                &["parser::step(double)"][..],
            ),
            (
                &["step", "inner"],
                &["render::(anonymous namespace)::step(double)"],
                &["render::(anonymous namespace)::step(double)", "inner"],
            ),
            (
                &["{closure#0}"],
                &["t::parse::{{closure}}"],
                &["t::parse::{{closure}}"],
            ),
            (
                &["step<std::string>"],
                &["a::step<std::string>()"],
                &["a::step<std::string>()"],
            ),
            // Not worse than before: names of parts, and of the same in other words.
            (&["work"], &["work.part.0"], &["work"]),
            (&["a::work"], &["a::work::h0123456789abcdef"], &["a::work"]),
            (
                &["<a::B as c::D>::work"],
                &["<a::B as c::D>::work"],
                &["<a::B as c::D>::work"],
            ),
            (&[], &["work"], &["work"]),
            (&["work"], &[], &["work"]),
            (&[], &[], &[]),
        ] {
            assert_eq!(
                both(of(described), of(listed)),
                of(both_say),
                "{described:?}"
            );
        }
    }
}
