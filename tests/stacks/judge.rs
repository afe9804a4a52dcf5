//! How many stacks of a program are whole and right.

use std::collections::BTreeMap;

use super::program::Program;
use super::walk::{Images, Step, Walk};

/// The share of samples that must have the whole chain of a program at least:
/// otherwise it does not spend its time where it says, and proves nothing.
const AT_WORK: f64 = 0.5;

/// What was found out about a program.
#[derive(Debug, Default)]
pub struct Findings {
    /// Samples.
    pub samples: u64,
    /// Whose stacks are whole.
    pub whole: u64,
    /// Whose stacks should show the chain, since they show some of it or
    /// are not whole.
    pub expected: u64,
    /// Whose stacks show the chain as it is, and are whole.
    pub right: u64,
    /// Whose stacks show all of a chain.
    pub at_work: u64,
    /// Whose stacks are not whole and do not say so, or are wrong.
    pub dishonest: u64,
    /// What is wrong with the others.
    pub flaws: BTreeMap<String, Flaw>,
}

/// Something that is wrong with some stacks.
#[derive(Debug, Default)]
pub struct Flaw {
    /// How often.
    pub count: u64,
    /// The frames of one of them, leaf first.
    pub example: Vec<String>,
}

impl Findings {
    /// Judges all stacks of a program.
    pub fn of(program: &Program, stacks: &[(Walk, u64)], images: &mut Images) -> Self {
        let mut found = Self::default();
        for (walk, count) in stacks {
            found.samples += count;
            let flaw = images.flaw(walk, program.demand);
            let names = known(program, walk, images);
            let mut chains = program.chains.iter();
            let is_right = names.is_empty() || chains.any(|chain| chain.starts_with(&names));
            if flaw.is_none() {
                found.whole += count;
            }
            if flaw.is_some() || !names.is_empty() {
                found.expected += count;
                if flaw.is_none() && is_right {
                    found.right += count;
                }
            }
            if program.chains.contains(&names) {
                found.at_work += count;
            }
            if flaw.is_some() && walk.broken.is_none() || flaw.is_none() && !is_right {
                found.dishonest += count;
            }
            let flaw = flaw.or_else(|| (!is_right).then(|| format!("shows {}", names.join(" "))));
            if let Some(flaw) = flaw {
                let flaw = found.flaws.entry(shorten(flaw)).or_default();
                flaw.count += count;
                let frames = walk.steps.iter().map(|step| images.describe(step));
                flaw.example = frames.collect();
            }
        }
        found
    }

    /// The share of whole stacks.
    pub fn wholeness(&self) -> f64 {
        share(self.whole, self.samples)
    }

    /// The share of right chains; `None` of a program whose chains are not
    /// known.
    pub fn rightness(&self, program: &Program) -> Option<f64> {
        (!program.chains.is_empty()).then(|| share(self.right, self.expected))
    }

    /// What is short of the program's bound.
    pub fn failure(&self, program: &Program) -> Option<String> {
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        if self.samples < 100 {
            return Some(format!("{} samples prove nothing", self.samples));
        }
        if program.only_honest {
            let honest = 1.0 - share(self.dishonest, self.samples);
            return (honest < program.bound).then(|| format!("{} honest", percent(honest)));
        }
        if self.wholeness() < program.bound {
            return Some(format!("{} whole", percent(self.wholeness())));
        }
        let right = self.rightness(program)?;
        if right < program.bound {
            return Some(format!("{} right", percent(right)));
        }
        let at_work = share(self.at_work, self.samples);
        (at_work < AT_WORK).then(|| format!("{} at work", percent(at_work)))
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Those functions of a stack that occur in the program's chains, root first.
fn known<'p>(program: &'p Program, walk: &Walk, images: &mut Images) -> Vec<&'p str> {
    let words: Vec<&'p str> = program.chains.iter().flatten().copied().collect();
    let mut names = Vec::new();
    if words.is_empty() {
        return names;
    }
    for step in walk.steps.iter().rev() {
        let Step::File { path, .. } = step else {
            continue;
        };
        // What the program brought with it: its libraries call nothing `main`.
        if !path.starts_with(&program.home) {
            continue;
        }
        let Some(name) = images.name(step) else {
            continue;
        };
        if let Some(word) = words.iter().find(|word| is_called(&name, word)) {
            names.push(*word);
        }
    }
    names
}

/// Whether a symbol, mangled perhaps, is the function `word`.
fn is_called(symbol: &str, word: &str) -> bool {
    // Its unlikely parts are split off by compilers.
    let symbol = symbol.strip_suffix(".cold").unwrap_or(symbol);
    // Both C++ and Rust precede a name by its length.
    let mangled = symbol.starts_with("_Z") || symbol.starts_with("_R");
    symbol == word || mangled && symbol.contains(&format!("{}{word}", word.len()))
}

/// Fits a line: five hundred names are summed up.
fn shorten(flaw: String) -> String {
    match flaw.char_indices().nth(90) {
        Some((end, _)) => format!("{}…", &flaw[..end]),
        None => flaw,
    }
}
