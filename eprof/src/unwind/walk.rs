//! Walking up a stack that was copied when the sample was taken.

use eprof_common::sample::{MAX_USER_FRAMES, ResumeFrame};
use eprof_common::{Registers, Rule, WalkEnd, rule};

use crate::kernel::StackCopy;

/// A frame of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Address of the code.
    pub address: u64,
    /// Whether it was interrupted there, so that it is no return address.
    pub exact: bool,
    /// Where a walk could resume from here, if it could.
    pub resume: Option<ResumeFrame>,
}

/// Continues a walk from `at`. Appends the frames, leaf first, and tells how it
/// ended; `at` is then where it did: [`WalkEnd::ON`] where it came to `until`,
/// whose frame is not appended. `code` gives the rule at an address of
/// code, `None` where there is no code; `read` the word at an address of the
/// stack. `mask` has the bits that an address of code can have.
pub fn walk(
    at: &mut Registers,
    mask: u64,
    mut code: impl FnMut(u64) -> Option<Rule>,
    read: impl Fn(u64) -> Result<u64, WalkEnd>,
    until: Option<&ResumeFrame>,
    frames: &mut Vec<Step>,
) -> WalkEnd {
    while frames.len() < MAX_USER_FRAMES {
        if at.flags & Registers::SEEKING != 0 {
            match rule::seek(at, &read) {
                WalkEnd::ON => continue,
                end => return end,
            }
        }
        let Some(rule) = code(at.place()) else {
            return WalkEnd::LEFT_CODE;
        };
        if until.is_some_and(|until| is_at(at, &rule, until)) {
            return WalkEnd::ON;
        }
        frames.push(Step {
            address: at.pc,
            exact: at.is_exact(),
            resume: at.can_resume().then_some(ResumeFrame {
                pc: at.pc,
                sp: at.sp,
                fp: at.fp,
            }),
        });
        let mut next = *at;
        match rule::step(&mut next, &rule, mask, &read) {
            WalkEnd::ON => *at = next,
            end => return end,
        }
    }
    WalkEnd::DEEP
}

/// Whether a walk from `frame` on finds what one from `at` on does, where
/// `rule` holds.
fn is_at(at: &Registers, rule: &Rule, frame: &ResumeFrame) -> bool {
    // Where the function keeps something else in it, it has saved the frame
    // pointer before.
    let restored = matches!(rule.cfa, Rule::CFA_SP | Rule::CFA_AT_SP)
        && matches!(rule.fp, Rule::FP_AT_CFA | Rule::FP_IS_CFA | Rule::FP_LOST);
    (at.pc, at.sp) == (frame.pc, frame.sp) && at.can_resume() && (restored || at.fp == frame.fp)
}

/// The word at an address of a copy.
///
/// # Errors
/// Where the copy does not have it: whether it is too short, or has all that
/// could be read.
pub fn word(copy: &StackCopy, address: u64) -> Result<u64, WalkEnd> {
    let (outer, end) = &copy.outer;
    let found = word_of(copy.base, &copy.bytes, address);
    found
        .or_else(|| word_of(*outer, end, address))
        .ok_or(if copy.whole {
            WalkEnd::FAULT
        } else {
            WalkEnd::COPY_ENDS
        })
}

/// The word at an address in `bytes`, which are from `base` on.
fn word_of(base: u64, bytes: &[u8], address: u64) -> Option<u64> {
    let place = usize::try_from(address.checked_sub(base)?).ok()?;
    let word = bytes.get(place..)?.first_chunk()?;
    Some(u64::from_le_bytes(*word))
}
