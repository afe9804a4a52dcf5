//! Why names of a file are missing, and how that is said.

use std::collections::BTreeMap;

use super::message::{Depth, Flaw};
use crate::caveat::Caveat;
use crate::confine::Ended;
use crate::symbol::listed::listed;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Misfortune {
    /// Reading it takes too long.
    Time,
    /// Reading it takes too much memory.
    Memory,
    /// It got shorter while it was read.
    Shortened,
    /// Whoever read it was killed by somebody, or crashed.
    Killed(Option<i32>),
    /// Whoever read it said something that nobody says.
    Nonsense,
    /// It was not read.
    Flaw(Flaw),
    /// All files together took too long.
    Total,
    /// Nobody could be found who reads it.
    Nobody,
}

impl Misfortune {
    /// Of somebody who `ended`, for no reason of this side.
    pub(super) fn of(ended: Ended) -> Self {
        match ended.signal {
            // What allocates aborts where there is no memory.
            Some(libc::SIGABRT) => Self::Memory,
            Some(libc::SIGBUS) => Self::Shortened,
            Some(libc::SIGXCPU) => Self::Time,
            signal => Self::Killed(signal),
        }
    }

    fn because(self) -> String {
        match self {
            Self::Time => "reading it takes too long".into(),
            Self::Memory => "reading it takes more memory than eprof allows".into(),
            Self::Shortened => "it was cut short while it was read".into(),
            Self::Killed(Some(signal)) => {
                format!("the process that read it was killed by signal {signal}")
            }
            Self::Killed(None) => "the process that read it ended early".into(),
            Self::Nonsense => "the process that read it answered nonsense".into(),
            Self::Flaw(Flaw::TooLarge) => "it is too large".into(),
            Self::Flaw(Flaw::Broken) => "it is broken, or was cut short".into(),
            Self::Flaw(Flaw::Unreadable) => "it could not be read".into(),
            Self::Total => "looking names up took too long in all".into(),
            Self::Nobody => "no process could be started that looks names up".into(),
        }
    }
}

/// All that went wrong.
#[derive(Debug, Default)]
pub(super) struct Misfortunes {
    of: BTreeMap<(Misfortune, Depth), Vec<String>>,
    /// Why nobody could be found.
    pub(super) why_nobody: Option<String>,
}

impl Misfortunes {
    /// Notes that `file` was not read to this `depth`.
    pub(super) fn add(&mut self, misfortune: Misfortune, depth: Depth, file: &str) {
        let files = self.of.entry((misfortune, depth)).or_default();
        files.push(file.to_owned());
    }

    /// How that is said.
    pub(super) fn caveats(self) -> Vec<Caveat> {
        let why_nobody = self.why_nobody;
        let of = self.of.into_iter();
        of.map(|((misfortune, depth), mut files)| {
            let listed = listed(&mut files);
            let mut because = misfortune.because();
            if let (Misfortune::Nobody, Some(why)) = (misfortune, &why_nobody) {
                because = format!("{because} ({why})");
            }
            let (code, lost) = match depth {
                Depth::Everything => (
                    "debug-information-skipped",
                    "functions have names from the symbol table only, without lines and \
                     inlined calls, in",
                ),
                Depth::Symbols => ("names-skipped", "functions have no names in"),
            };
            let caveat = Caveat::new(code, format!("{lost} {listed}: {because}"));
            match misfortune {
                Misfortune::Total | Misfortune::Nobody => {
                    caveat.hint("eprof report looks again for what is missing")
                }
                _ => caveat,
            }
        })
        .collect()
    }
}
