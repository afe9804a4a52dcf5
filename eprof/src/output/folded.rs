//! Folded stacks: `process;thread;frame;frame… µJ`, root first, one line per
//! stack, the format that flamegraph tools share.
//!
//! The first level is `comm (pid)`, the second `comm/tid`. Kernel frames end
//! in `_[k]`, inlined ones in `_[i]` and those of code that was made at run
//! time in `_[j]`, as `stackcollapse-perf.pl` marks them. The numbers add up to the target's account, to the microjoule.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};

use crate::profile::{
    GENERATED, KERNEL, MemberRow, ProcessKey, Profile, SymbolFrame, UNKNOWN, UNSAMPLED,
};

use super::visible::visible;

/// All stacks with energy, equal ones merged, in the order of their frames'
/// names.
#[derive(Clone, Debug, Default)]
pub(super) struct Stacks {
    /// Names of frames, ascending.
    pub(super) names: Vec<String>,
    /// By the positions of the stack's frames in `names`, root first.
    pub(super) rows: BTreeMap<Vec<u32>, Folded>,
}

/// A stack with energy.
#[derive(Clone, Debug, Default)]
pub(super) struct Folded {
    /// Microjoules.
    pub(super) uj: u64,
    /// Positions in [`Profile::stacks`].
    pub(super) of: Vec<usize>,
}

/// How many levels lie below the frames in one run: process and thread.
pub(super) const LEVELS: usize = 2;

/// How many levels lie below the frames: one more where there are several runs.
pub(super) fn levels(profile: &Profile) -> usize {
    LEVELS + usize::from(!profile.members.is_empty())
}

/// A name without the mark of its kind.
pub(super) fn unmarked(name: &str) -> &str {
    let marks = ["_[k]", "_[i]", "_[j]"];
    let mark = marks.iter().find_map(|mark| name.strip_suffix(mark));
    mark.unwrap_or(name)
}

/// Writes the folded stacks.
///
/// # Errors
///
/// What `out` said.
pub fn write(profile: &Profile, out: impl Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    for line in Stacks::of(profile).lines() {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// A name that fits between semicolons: hostile characters are escaped, and
/// `;` becomes `:` (as in `stackcollapse-perf.pl`).
pub(super) fn level(name: &str) -> String {
    visible(name).trim().replace(';', ":")
}

pub(super) fn frame_name(frame: &SymbolFrame) -> String {
    let name = level(&frame.key.function);
    if frame.key.module == KERNEL && !name.starts_with('[') {
        format!("{name}_[k]")
    } else if frame.key.module == GENERATED && !name.starts_with('[') {
        format!("{name}_[j]")
    } else if frame.inlined {
        format!("{name}_[i]")
    } else {
        name
    }
}

/// `comm (pid)`. A line must not begin as a comment does, with `# `.
fn process_name(comm: &str, key: ProcessKey) -> String {
    let name = format!("{} ({})", level(comm), key.pid);
    match name.strip_prefix("# ") {
        Some(rest) => format!("#_{rest}"),
        None => name,
    }
}

/// The last names of the processes.
pub(super) fn comms(profile: &Profile) -> HashMap<ProcessKey, &str> {
    let processes = profile.processes.iter();
    processes
        .map(|process| (process.key, process.comm.as_str()))
        .collect()
}

/// The name of one of several runs.
fn run_name(run: &MemberRow) -> String {
    let name = level(&run.name);
    match name.strip_prefix("# ") {
        Some(rest) => format!("#_{rest}"),
        None => name,
    }
}

/// A leaf that ends in a number would be read as a second count: the space
/// before the number becomes `_`.
pub(super) fn leaf_name(name: String) -> String {
    match name.rsplit_once(' ') {
        Some((head, tail)) if tail.chars().all(|c| c.is_ascii_digit() || c == '.') => {
            format!("{head}_{tail}")
        }
        _ => name,
    }
}

impl Stacks {
    /// The stacks of a profile.
    pub(super) fn of(profile: &Profile) -> Self {
        let comms = comms(profile);
        // Frames repeat in thousands of stacks: each is named once.
        let mut inner: HashMap<&SymbolFrame, String> = HashMap::new();
        let mut stacks: Vec<(Vec<String>, usize, u64)> = Vec::new();
        let rows = profile.stacks.iter().enumerate();
        for (at, row) in rows.filter(|(_, row)| row.price.full.0 > 0) {
            let mut names = match profile.threads.get(row.thread) {
                Some(thread) => {
                    let comm = comms.get(&thread.process).copied();
                    let process = process_name(comm.unwrap_or(&thread.comm), thread.process);
                    let run = profile.members.get(thread.process.member);
                    let mut names: Vec<String> = run.map(run_name).into_iter().collect();
                    names.push(process);
                    names.push(format!("{}/{}", level(&thread.comm), thread.tid));
                    names
                }
                None => vec![UNKNOWN.to_owned(); levels(profile)],
            };
            for frame in row.frames.iter() {
                let name = inner.entry(frame).or_insert_with(|| frame_name(frame));
                names.push(name.clone());
            }
            if row.frames.is_empty() {
                names.push(UNSAMPLED.to_owned());
            }
            if let Some(leaf) = names.pop() {
                names.push(leaf_name(leaf));
            }
            stacks.push((names, at, row.price.full.0));
        }
        let distinct: BTreeSet<&String> = stacks.iter().flat_map(|(names, ..)| names).collect();
        let names: Vec<String> = distinct.into_iter().cloned().collect();
        let mut rows: BTreeMap<Vec<u32>, Folded> = BTreeMap::new();
        for (stack, at, uj) in &stacks {
            let positions = stack.iter().filter_map(|name| {
                let at = names.binary_search(name).ok()?;
                u32::try_from(at).ok()
            });
            let sum = rows.entry(positions.collect()).or_default();
            sum.uj = sum.uj.saturating_add(*uj);
            sum.of.push(*at);
        }
        Self { names, rows }
    }

    /// One line per stack, ordered by frames.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = String> {
        self.rows.iter().map(|(stack, folded)| {
            let mut line = String::new();
            for (at, position) in stack.iter().enumerate() {
                if at > 0 {
                    line.push(';');
                }
                line.push_str(&self.names[*position as usize]);
            }
            line.push_str(&format!(" {}", folded.uj));
            line
        })
    }

    /// All energy in microjoules; `None` where that is no `u64`.
    pub(super) fn total(&self) -> Option<u64> {
        self.rows
            .values()
            .try_fold(0u64, |sum, folded| sum.checked_add(folded.uj))
    }
}
