//! What is repeated, and what comes of it.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::attribute::Settings;
use crate::caveat::Caveat;
use crate::launch::ExitStatus;
use crate::pipeline::Names;
use crate::session;
use crate::symbol::Search;
use crate::timeline::LiveStatus;

use super::command::Command;
use super::run::Run;

/// What is to be repeated, and how.
#[derive(Debug)]
pub struct Plan {
    /// How each run is recorded; program, arguments, output and streams are
    /// set anew for each.
    pub base: session::Plan,
    /// The commands.
    pub commands: Vec<Command>,
    /// How often each is measured.
    pub rounds: usize,
    /// How often each is run before that, unmeasured.
    pub warmup: usize,
    /// What the order is drawn from.
    pub seed: u64,
    /// Whether a command that fails counts all the same.
    pub ignore_failure: bool,
    /// Whether the commands have eprof's own standard streams; else they read
    /// nothing, and what they write is thrown away.
    pub attached: bool,
    /// Where a recording is kept; `None`: nowhere.
    pub keep: Option<Keep>,
    /// How each run is attributed.
    pub settings: Settings,
    /// What code is called.
    pub names: Names,
    /// Where names are looked for when a run has ended.
    pub search: Search,
}

/// Where recordings are kept.
#[derive(Clone, Debug)]
pub enum Keep {
    /// `DIRECTORY/COMMAND/NNN.data`, by the commands' numbers, or the names that they were
    /// given.
    Directory(PathBuf, Vec<String>),
    /// Files of one command, by round.
    Files(Vec<PathBuf>),
}

/// How it goes.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// A run begins: the command, its round (`None`: to warm up), and how many
    /// runs of all are done.
    Begins {
        /// Which command.
        command: &'a Command,
        /// The round, from 0.
        round: Option<usize>,
        /// Runs that are over.
        done: usize,
        /// All runs.
        all: usize,
    },
    /// The run goes on.
    Interval(&'a LiveStatus),
    /// A run is over.
    Ended(&'a Run),
}

/// A command that failed, which ended the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What it is called.
    pub name: String,
    /// In which round, from 0; `None` before the first.
    pub round: Option<usize>,
    /// How it ended.
    pub exit: ExitStatus,
    /// The end of what it wrote to standard error.
    pub stderr_tail: String,
    /// Whether it is a command that is measured, not one that prepares.
    pub measured: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Repeated {
    /// The runs, in the order in which they were made.
    pub runs: Vec<Run>,
    /// The command that failed and so ended it.
    pub failed: Option<Failed>,
    /// The signal by which somebody asked eprof to come to an end.
    pub interrupted: Option<Signal>,
    /// What makes it all less true.
    pub caveats: Vec<Caveat>,
}
