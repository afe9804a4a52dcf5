//! Code and stacks: objects, frames, the tree of stacks, and their names.

use serde::{Deserialize, Serialize};

use super::{StackEnd, TaskId};

/// A mapped file (or pseudo file) that frames point into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectId(pub u32);

/// A frame, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameId(pub u32);

/// A stack: the position of its leaf in the tree of [`StackNode`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StackId(pub u32);

/// What frames point into.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Object {
    /// The path as the target saw it, `[kernel]`, `[vdso]`, ….
    pub path: String,
    /// GNU build id, where known.
    #[serde(default, with = "super::readable::hex")]
    pub build_id: Option<Vec<u8>>,
}

/// One code address, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frame {
    /// An address in a mapped file.
    User {
        /// The file.
        object: ObjectId,
        /// Offset in the file.
        offset: u64,
        /// Whether it is a return address, so that the call is just before it.
        returns: bool,
    },
    /// A kernel address.
    Kernel {
        /// The address.
        address: u64,
        /// Whether it is a return address.
        returns: bool,
    },
    /// A user address outside any known mapping.
    Unmapped(u64),
    /// Stands at the root of a stack that did not reach its root.
    Broken(StackEnd),
    /// An address in executable memory without a file: code that the process
    /// made at run time.
    Generated {
        /// The leader of the process, in the task instance that made the code.
        process: TaskId,
        /// The address.
        address: u64,
        /// Whether it is a return address.
        returns: bool,
    },
}

/// A node of the tree of stacks: a frame and the caller's node. Parents
/// always precede their children; two different stacks are never one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackNode {
    /// The caller; `None` for a root.
    pub parent: Option<StackId>,
    /// The code.
    pub frame: FrameId,
}

/// A function that a frame resolved to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbol {
    /// The frame.
    pub frame: FrameId,
    /// The functions, outermost first: more than one where calls were
    /// inlined. Demangled.
    pub functions: Vec<String>,
}

/// A line of source code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Line {
    /// The path of the file, as the compiler was given it.
    pub file: String,
    /// The number of the line, from 1 on.
    pub number: u32,
}

/// Where in the source the functions of a frame were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// The frame.
    pub frame: FrameId,
    /// For each function of the frame's [`Symbol`], outermost first, the line
    /// that it was at: of the call that was inlined, and of the code itself.
    /// `None` where the debug information does not say.
    pub lines: Vec<Option<Line>>,
}

/// A part of an object's file that is mapped as code (an executable `PT_LOAD`
/// segment, System V ABI): what turns an offset in the file into an address of
/// its symbol table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Offset in the file of its first byte.
    pub offset: u64,
    /// Length in the file in bytes.
    pub length: u64,
    /// Address of the first byte as the symbol table counts.
    pub address: u64,
}
