//! A frame with its names.

use serde::{Deserialize, Serialize};

use super::outline::address;
use crate::measurement::{FrameId, Lines, Segment, Symbol};

/// The functions of a frame, and where they are in the source.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) symbol: Symbol,
    pub(super) lines: Option<Lines>,
}

/// Names `frames` (offsets in a file that has `segments`) one by one by what `name`
/// finds at their addresses; returns those that have no name.
pub(super) fn name_each(
    segments: &[Segment],
    frames: &[(FrameId, u64)],
    found: &mut dyn FnMut(Vec<Named>),
    mut name: impl FnMut(u64) -> Option<String>,
) -> Vec<(FrameId, u64)> {
    let mut unknown = Vec::new();
    let mut known = Vec::new();
    for &(frame, offset) in frames {
        match address(segments, offset).and_then(&mut name) {
            Some(name) => known.push(Named {
                symbol: Symbol {
                    frame,
                    functions: vec![name],
                },
                lines: None,
            }),
            None => unknown.push((frame, offset)),
        }
    }
    found(known);
    unknown
}
