//! Walking up a stack that was copied when the sample was taken.

use eprof_common::sample::MAX_USER_FRAMES;
use eprof_common::{Registers, Rule, WalkEnd, rule};

use crate::kernel::StackCopy;

/// A frame of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Address of the code.
    pub address: u64,
    /// Whether it was interrupted there, so that it is no return address.
    pub exact: bool,
}

/// Continues a walk from `at`. Appends the frames, leaf first, and tells how it
/// ended; `at` is then where it did. `code` gives the rule at an address of
/// code, `None` where there is no code; `read` the word at an address of the
/// stack. `mask` has the bits that an address of code can have.
pub fn walk(
    at: &mut Registers,
    mask: u64,
    mut code: impl FnMut(u64) -> Option<Rule>,
    read: impl Fn(u64) -> Result<u64, WalkEnd>,
    frames: &mut Vec<Step>,
) -> WalkEnd {
    while frames.len() < MAX_USER_FRAMES {
        let Some(rule) = code(at.place()) else {
            return WalkEnd::LEFT_CODE;
        };
        frames.push(Step {
            address: at.pc,
            exact: at.is_exact(),
        });
        let mut next = *at;
        match rule::step(&mut next, &rule, mask, &read) {
            WalkEnd::ON => *at = next,
            end => return end,
        }
    }
    WalkEnd::DEEP
}

/// The word at an address of a copy.
///
/// # Errors
/// Where the copy does not have it: whether it is too short, or has all that
/// could be read.
pub fn word(copy: &StackCopy, address: u64) -> Result<u64, WalkEnd> {
    let outside = if copy.whole {
        WalkEnd::FAULT
    } else {
        WalkEnd::COPY_ENDS
    };
    let inside = address.checked_sub(copy.base).ok_or(outside)?;
    let place = usize::try_from(inside).map_err(|_| outside)?;
    let bytes = place
        .checked_add(8)
        .and_then(|end| copy.bytes.get(place..end))
        .ok_or(outside)?;
    bytes
        .try_into()
        .map(u64::from_le_bytes)
        .map_err(|_| outside)
}
