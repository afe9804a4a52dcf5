//! Stacks: how they end, and copies of those that the kernel could not walk.

use eprof_common::sample::ResumeFrame;
use eprof_common::{Registers, WalkEnd};

/// A copy of the upper end of a stack, and where the walk through it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackCopy {
    /// The number of the process, in the initial PID namespace.
    pub process: u32,
    /// The serial number of the task instance; zero without a slot.
    pub thread: u64,
    /// The registers of the first frame that was not walked yet.
    pub registers: Registers,
    /// The address of the first byte.
    pub base: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The address of the first byte of the stack's outer end, and its bytes;
    /// none where that was not copied, too.
    pub outer: (u64, Vec<u8>),
    /// Whether it ends where the stack does, as far as could be read.
    pub whole: bool,
    /// What the kernel walked beyond the code that it did not know.
    pub beyond: Option<Beyond>,
}

impl StackCopy {
    /// Bytes of the stack that it has.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.outer.1.len()
    }
}

/// A walk that left a gap. It belongs to this stack only if the walk through the copy
/// comes to its first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beyond {
    /// The first frame.
    pub first: ResumeFrame,
    /// The frames from there on, leaf first, with `INTERRUPTED` where they are.
    pub frames: Vec<u64>,
    /// How the walk ended.
    pub end: WalkEnd,
}
