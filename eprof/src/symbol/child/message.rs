//! What is said between the one who asks and a helper. Both are the same program, so
//! there is one version of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::confine::Bounds;
use crate::measurement::{FrameId, Segment};
use crate::symbol::debuginfod::{Failure, Settings};
use crate::symbol::named::Named;

/// The longest name of a function or of a file, in bytes.
pub(super) const LONGEST_NAME: usize = 64 << 10;

/// The most functions that one address is inlined into.
pub(super) const MOST_INLINED: usize = 1024;

/// The most code segments of a file.
pub(super) const MOST_SEGMENTS: usize = 1024;

/// The first message: what the helper is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Begin {
    /// What it keeps to.
    pub(super) bounds: Bounds,
    /// What it does.
    pub(super) role: Role,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Role {
    /// Looks names up.
    Names {
        /// Where debug files are.
        directories: Vec<PathBuf>,
    },
    /// Asks servers for debug files.
    Fetch {
        /// Which, and how.
        settings: Settings,
        /// What went wrong before.
        failures: Vec<Failure>,
        /// The home of whom it becomes, where that is another than its own.
        home: Option<PathBuf>,
    },
}

/// How much of a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Depth {
    /// Debug information, also elsewhere.
    Everything,
    /// The symbol table.
    Symbols,
}

/// What is to be looked up in one object. Its file comes with it, or is to be found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Quest {
    /// Where the object was.
    pub(crate) path: String,
    /// Its GNU build id, where known.
    pub(crate) build_id: Option<Vec<u8>>,
    /// Its code segments, where known.
    pub(crate) segments: Vec<Segment>,
    /// Offsets in it.
    pub(crate) frames: Vec<(FrameId, u64)>,
    /// Whether names are wanted, and not just lines.
    pub(crate) nameless: bool,
    /// How much is read.
    pub(crate) depth: Depth,
    /// Whether a server may still be asked for debug information.
    pub(crate) ask: bool,
    /// Where a server's debug information is.
    pub(crate) fetched: Option<PathBuf>,
}

/// What somebody who looks names up says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The object's code segments.
    Segments(Vec<Segment>),
    /// Some names.
    Found(Vec<Named>),
    /// Nothing was looked up: a server may have debug information. The end.
    Lacks,
    /// The end.
    Done(Option<Flaw>),
}

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Flaw {
    /// It is larger than what is read.
    TooLarge,
    /// It could not be read.
    Unreadable,
    /// It names sections that it does not have.
    Broken,
}

/// What somebody who asks servers is asked: for the file with this build id.
pub(super) type Wanted = Vec<u8>;

/// What somebody who asks servers says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Delivery {
    /// So many more bytes have come.
    Bytes(u64),
    /// A file is there, or there is none.
    Done {
        /// Of which build id.
        build_id: Wanted,
        /// Where it is.
        path: Option<PathBuf>,
        /// What went wrong so far.
        failures: Vec<Failure>,
    },
}
