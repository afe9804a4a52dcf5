//! Everything that makes a number less true, in one list.
//!
//! A caveat is data: it is recorded, shown under the table, and part of the
//! JSON report.

use serde::{Deserialize, Serialize};

/// One thing the reader of a number must know, with a hint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Caveat {
    /// A stable, machine-readable name in kebab-case, e.g. `counter-stalled`.
    pub code: String,
    /// One sentence that says what happened, with its numbers.
    pub sentence: String,
    /// What the user can do about it, where there is something.
    pub hint: Option<String>,
}

impl Caveat {
    /// A caveat without a hint.
    pub fn new(code: &str, sentence: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            sentence: sentence.into(),
            hint: None,
        }
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The caveats of several runs: those of one code once (as often as a single run
/// has it), in the order in which they came, with the number of runs.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    runs: usize,
    told: Vec<Told>,
}

#[derive(Clone, Debug)]
struct Told {
    caveat: Caveat,
    /// As the how-manieth of its code in a run.
    ordinal: usize,
    /// In how many runs.
    runs: usize,
}

impl Tally {
    /// Adds the caveats of one run.
    pub fn add(&mut self, caveats: &[Caveat]) {
        self.runs += 1;
        for (at, caveat) in caveats.iter().enumerate() {
            let alike = |of: &Caveat| of.code == caveat.code;
            let ordinal = caveats.iter().take(at).filter(|of| alike(of)).count();
            let mut told = self.told.iter_mut();
            match told.find(|told| told.ordinal == ordinal && alike(&told.caveat)) {
                Some(told) => told.runs += 1,
                None => self.told.push(Told {
                    caveat: caveat.clone(),
                    ordinal,
                    runs: 1,
                }),
            }
        }
    }

    /// All of them. The words are those of the first run that said so.
    pub fn finish(self) -> Vec<Caveat> {
        let all = self.runs;
        let told = self.told.into_iter();
        told.map(|Told { caveat, runs, .. }| match runs {
            runs if runs == all => caveat,
            runs => Caveat {
                sentence: format!("{} (so or alike in {runs} of {all} runs)", caveat.sentence),
                ..caveat
            },
        })
        .collect()
    }
}
