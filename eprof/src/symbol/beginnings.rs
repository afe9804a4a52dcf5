//! Functions without names, told apart by where they begin: unwind information has that
//! of stripped programs, too. What they are called by is no name, so that a real one
//! that is found later takes its place.

use std::fs::File;
use std::path::Path;

use super::named::{Named, name_each};
use crate::measurement::{FrameId, Segment};
use crate::unwind::beginnings::Beginnings;
use crate::unwind::bytes::Unchanged;

/// Before the address of the first byte, in hexadecimal, as other profilers write it.
const PREFIX: &str = "fun_";

/// Whether this is how a function without a name is called.
pub(super) fn is_made_up(name: &str) -> bool {
    let address = name.strip_prefix(PREFIX);
    address.is_some_and(|address| {
        !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Finds where the functions of `frames` begin (offsets in the file at `path`, which has
/// `segments`); returns the frames of which that is not known.
pub(super) fn look_up(
    path: &Path,
    segments: &[Segment],
    frames: &[(FrameId, u64)],
    found: &mut dyn FnMut(Vec<Named>),
) -> Vec<(FrameId, u64)> {
    let file = File::open(path).ok().and_then(Unchanged::new);
    let beginnings = file.and_then(|file| Beginnings::open(Box::new(file)));
    let Some(mut beginnings) = beginnings.filter(|_| !frames.is_empty()) else {
        return frames.to_vec();
    };
    name_each(segments, frames, found, |address| {
        let begin = beginnings.of(address)?;
        Some(format!("{PREFIX}{begin:x}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_up_is_taken_for_it() {
        assert!(is_made_up("fun_1160"));
        for name in ["fun_", "fun_main", "main", "my_fun_1160", "fun_1160(int)"] {
            assert!(!is_made_up(name), "{name}");
        }
    }
}
