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

/// A number of things in a sentence: `1 run`, `2 runs`.
pub fn counted(number: impl Into<u128>, one: &str, many: &str) -> String {
    match number.into() {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    }
}

/// The caveats of several runs: those of one code once (as often as a single run
/// has it), in the order in which they came, with the number of runs.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    runs: usize,
    kinds: Vec<Kind>,
}

#[derive(Clone, Debug)]
struct Kind {
    caveat: Caveat,
    /// How many of the same code came before it in a run.
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
            let mut kinds = self.kinds.iter_mut();
            match kinds.find(|kind| kind.ordinal == ordinal && alike(&kind.caveat)) {
                Some(kind) => kind.runs += 1,
                None => self.kinds.push(Kind {
                    caveat: caveat.clone(),
                    ordinal,
                    runs: 1,
                }),
            }
        }
    }

    /// All of them. The sentence is that of the first run that has it.
    pub fn finish(self) -> Vec<Caveat> {
        let all = self.runs;
        let kinds = self.kinds.into_iter();
        kinds
            .map(|Kind { caveat, runs, .. }| match runs {
                runs if runs == all => caveat,
                runs => Caveat {
                    sentence: format!(
                        "{} (this or similar in {runs} of {all} runs)",
                        caveat.sentence
                    ),
                    ..caveat
                },
            })
            .collect()
    }
}
