//! Walking up a stack that was copied when the sample was taken.

use std::sync::Arc;

use eprof_common::sample::MAX_USER_FRAMES;
use eprof_common::{Rule, WalkEnd, rule};

use super::table::Table;
use crate::kernel::StackCopy;

/// What lies at an address.
#[derive(Clone, Debug)]
pub enum Code {
    /// Code with unwind information, and the place in it.
    Table(Arc<Table>, u64),
    /// Code without.
    NoTable,
    /// Code whose table is still being compiled.
    Pending,
    /// No code.
    Unknown,
}

/// A frame of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Address of the code.
    pub address: u64,
    /// Whether it was interrupted there, so that it is no return address.
    pub exact: bool,
}

/// Continues the walk of a sample through its copy of the stack. Appends the
/// frames, leaf first, and tells how it ended: [`WalkEnd::PENDING`] where a
/// table is missing so far, and nothing may be kept of the frames.
///
/// `mask` has the bits that an address of code can have.
pub fn walk(
    copy: &StackCopy,
    mask: u64,
    code: impl Fn(u64) -> Code,
    frames: &mut Vec<Step>,
) -> WalkEnd {
    let mut at = copy.registers;
    while frames.len() < MAX_USER_FRAMES {
        let rule = match code(at.place()) {
            Code::Table(table, relative) => table.rule(relative).unwrap_or(Rule::of(Rule::NONE)),
            Code::NoTable => Rule::of(Rule::NONE),
            Code::Pending => return WalkEnd::PENDING,
            Code::Unknown => return WalkEnd::LEFT_CODE,
        };
        frames.push(Step {
            address: at.pc,
            exact: at.is_exact(),
        });
        match rule::step(&mut at, &rule, mask, |address| word(copy, address)) {
            WalkEnd::ON => {}
            end => return end,
        }
    }
    WalkEnd::DEEP
}

/// The word at an address of the copy.
fn word(copy: &StackCopy, address: u64) -> Result<u64, WalkEnd> {
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
