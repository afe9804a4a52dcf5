//! How stacks end.

use eprof_common::WalkEnd;
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
