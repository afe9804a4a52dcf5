//! Stacks: how they end, and copies of those that the kernel could not walk.

use eprof_common::sample::Anchor;
use eprof_common::{Registers, WalkEnd};
use serde::{Deserialize, Serialize};

/// How a stack ended. The order of the alternatives is part of the format of
/// recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StackEnd {
    /// The root was reached. (Where stacks are walked by frame pointers only,
    /// the walk ended by itself, which does not prove it.)
    Complete,
    /// There are more frames than are walked.
    Truncated,
    /// There was no stack of this kind (a kernel stack in user mode).
    Absent,
    /// The kernel's walk failed.
    Failed,
    /// In code without unwind information, there was no sound frame pointer.
    NoTable,
    /// The stack could not be read.
    Unreadable,
    /// The unwind information says what eprof does not follow.
    Unsupported,
    /// The next frame would not lie above the last: the walk went astray.
    Astray,
    /// The return address was not that of any code.
    LeftCode,
    /// The stack is longer than what was copied of it.
    CopyEnded,
}

impl StackEnd {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::Complete,
        Self::Truncated,
        Self::Absent,
        Self::Failed,
        Self::NoTable,
        Self::Unreadable,
        Self::Unsupported,
        Self::Astray,
        Self::LeftCode,
        Self::CopyEnded,
    ];

    /// As it is called in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Truncated => "truncated",
            Self::Absent => "absent",
            Self::Failed => "failed",
            Self::NoTable => "no-table",
            Self::Unreadable => "unreadable",
            Self::Unsupported => "unsupported",
            Self::Astray => "astray",
            Self::LeftCode => "left-code",
            Self::CopyEnded => "copy-ended",
        }
    }

    /// What the end of a walk means; [`WalkEnd::PENDING`], which is no end, as
    /// code without unwind information.
    pub(crate) fn of(end: WalkEnd) -> Self {
        match end {
            WalkEnd::ROOT | WalkEnd::BY_POINTERS => Self::Complete,
            WalkEnd::ABSENT => Self::Absent,
            WalkEnd::DEEP => Self::Truncated,
            WalkEnd::NO_TABLE | WalkEnd::PENDING => Self::NoTable,
            WalkEnd::FAULT => Self::Unreadable,
            WalkEnd::UNSUPPORTED => Self::Unsupported,
            WalkEnd::STUCK => Self::Astray,
            WalkEnd::LEFT_CODE => Self::LeftCode,
            WalkEnd::COPY_ENDS => Self::CopyEnded,
            _ => Self::Failed,
        }
    }
}

/// A copy of the upper end of a stack, and where the walk through it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackCopy {
    /// The number of the process, in the initial PID namespace.
    pub process: u32,
    /// The serial number of the thread's incarnation; zero without a slot.
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

/// A walk that left a gap: it is that of this stack only if the walk through
/// the copy comes to its first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beyond {
    /// The first frame.
    pub anchor: Anchor,
    /// The frames from there on, leaf first, with `INTERRUPTED` where they are.
    pub frames: Vec<u64>,
    /// How the walk ended.
    pub end: WalkEnd,
}
