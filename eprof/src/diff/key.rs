//! By what rows of two recordings are matched: names, never ids, which differ
//! from run to run.

use std::sync::Arc;

use clap::ValueEnum;

use crate::profile::SymbolFrame;

/// What the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum By {
    /// One row per name of processes
    #[value(alias = "process")]
    Command,
    /// One row per command and name of threads
    Thread,
    /// One row per function, by its own energy
    Function,
    /// One row per function, with what it calls
    Inclusive,
    /// One row per stack, with its command and thread
    Stack,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Command,
        Self::Thread,
        Self::Function,
        Self::Inclusive,
        Self::Stack,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Thread => "thread",
            Self::Function => "function",
            Self::Inclusive => "inclusive",
            Self::Stack => "stack",
        }
    }
}

/// What is the same in two recordings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The target.
    Target,
    /// The target, on the meters of one domain.
    Domain(&'static str),
    /// All processes of a name.
    Command(String),
    /// All threads of a name in processes of a name.
    Thread(String, String),
    /// A function, and the file name of its object.
    Function(String, String),
    /// A stack, below its command and thread; root first.
    Stack(String, String, Arc<[SymbolFrame]>),
}

impl Key {
    /// The frames of a stack; of all else none.
    pub fn frames(&self) -> &[SymbolFrame] {
        match self {
            Self::Stack(_, _, frames) => frames,
            _ => &[],
        }
    }
}
