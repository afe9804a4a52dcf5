//! Folded stacks: `process;thread;frame;frame… µJ`, root first, one line per
//! stack, the format that flamegraph tools share.
//!
//! The first level is `comm (pid)`, the second `comm/tid`. Kernel frames end
//! in `_[k]`, inlined ones in `_[i]` and those of code that was generated at run
//! time in `_[j]`, as `stackcollapse-perf.pl` marks them. The numbers add up to the target's account, to the microjoule.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use crate::profile::{
    GENERATED, KERNEL, MemberRow, ProcessKey, Profile, SymbolFrame, UNKNOWN, UNSAMPLED,
};

use super::format::sanitize::visible;

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
/// The error of `out`.
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

/// Names, each once, numbered as they come.
#[derive(Debug, Default)]
struct Numbered {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Numbered {
    fn number(&mut self, name: String) -> u32 {
        if let Some(&number) = self.numbers.get(&name) {
            return number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    /// The number of the same name as a leaf.
    fn leaf(&mut self, number: u32) -> u32 {
        let name = self.names.get(number as usize).cloned();
        self.number(leaf_name(name.unwrap_or_default()))
    }

    /// The names in order, and where each number is among them.
    fn in_order(self) -> (Vec<String>, Vec<u32>) {
        let mut order: Vec<(String, usize)> = self.names.into_iter().zip(0..).collect();
        order.sort_unstable();
        let mut places = vec![0; order.len()];
        for (place, (_, number)) in (0..).zip(&order) {
            places[*number] = place;
        }
        (order.into_iter().map(|(name, _)| name).collect(), places)
    }
}

impl Stacks {
    /// The stacks of a profile.
    pub(super) fn of(profile: &Profile) -> Self {
        let comms = comms(profile);
        let mut names = Numbered::default();
        // Frames repeat in thousands of stacks, and stacks in many threads and
        // runs: each is named once.
        let mut frames: HashMap<&SymbolFrame, u32> = HashMap::new();
        let mut paths: HashMap<*const SymbolFrame, Vec<u32>> = HashMap::new();
        let mut below: HashMap<usize, Vec<u32>> = HashMap::new();
        let mut rows: BTreeMap<Vec<u32>, Folded> = BTreeMap::new();
        let charged = profile.stacks.iter().enumerate();
        for (at, row) in charged.filter(|(_, row)| row.energy.with_idle.0 > 0) {
            let below = below.entry(row.thread).or_insert_with(|| {
                let texts = levels_of(profile, &comms, row.thread);
                texts.into_iter().map(|name| names.number(name)).collect()
            });
            let path = paths.entry(row.frames.as_ptr()).or_insert_with(|| {
                let mut path: Vec<u32> = Vec::with_capacity(row.frames.len().max(1));
                for frame in row.frames.iter() {
                    let number = frames.entry(frame);
                    path.push(*number.or_insert_with(|| names.number(frame_name(frame))));
                }
                let leaf = path.pop();
                path.push(match leaf {
                    Some(leaf) => names.leaf(leaf),
                    None => names.number(leaf_name(UNSAMPLED.to_owned())),
                });
                path
            });
            let sum = rows.entry([&below[..], &path[..]].concat()).or_default();
            sum.uj = sum.uj.saturating_add(row.energy.with_idle.0);
            sum.of.push(at);
        }
        drop(paths);
        let (names, places) = names.in_order();
        let place = |number: u32| places.get(number as usize).copied().unwrap_or(0);
        let placed = |(mut path, folded): (Vec<u32>, Folded)| {
            path.iter_mut().for_each(|number| *number = place(*number));
            (path, folded)
        };
        Self {
            names,
            rows: rows.into_iter().map(placed).collect(),
        }
    }

    /// The lines of a picture in which boxes of less than `least` microjoules
    /// are not drawn: their energy is that of the frame that they stand on, at
    /// the same place. Ordered by frames.
    pub(super) fn wide(&self, least: f64) -> Vec<String> {
        let rows: Vec<(&[u32], u64)> = self
            .rows
            .iter()
            .map(|(path, folded)| (path.as_slice(), folded.uj))
            .collect();
        let mut kept: Vec<(&[u32], u64)> = Vec::new();
        for (&(path, uj), depth) in rows.iter().zip(depths(&rows, least)) {
            let path = path.get(..depth).unwrap_or(path);
            match kept.last_mut() {
                Some((last, sum)) if *last == path => *sum = sum.saturating_add(uj),
                _ => kept.push((path, uj)),
            }
        }
        kept.into_iter()
            .map(|(path, uj)| self.line(path, uj))
            .collect()
    }

    fn line(&self, path: &[u32], uj: u64) -> String {
        let names = path.iter().filter_map(|at| self.names.get(*at as usize));
        let mut line = String::new();
        for (at, name) in names.enumerate() {
            if at > 0 {
                line.push(';');
            }
            line.push_str(name);
        }
        line.push_str(&format!(" {uj}"));
        line
    }

    /// One line per stack, ordered by frames.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = String> {
        let rows = self.rows.iter();
        rows.map(|(path, folded)| self.line(path, folded.uj))
    }

    /// All energy in microjoules; `None` where that is no `u64`.
    pub(super) fn total(&self) -> Option<u64> {
        self.rows
            .values()
            .try_fold(0u64, |sum, folded| sum.checked_add(folded.uj))
    }
}

/// The names of the levels below the frames of a thread's stacks.
fn levels_of(profile: &Profile, comms: &HashMap<ProcessKey, &str>, thread: usize) -> Vec<String> {
    let Some(thread) = profile.threads.get(thread) else {
        return vec![UNKNOWN.to_owned(); levels(profile)];
    };
    let comm = comms.get(&thread.process).copied();
    let process = process_name(comm.unwrap_or(&thread.comm), thread.process);
    let run = profile.members.get(thread.process.member);
    let mut names: Vec<String> = run.map(run_name).into_iter().collect();
    names.push(process);
    names.push(format!("{}/{}", level(&thread.comm), thread.tid));
    names
}

/// How many frames of each of `rows`, which are in order, are in boxes of at
/// least `least` microjoules; never none.
fn depths(rows: &[(&[u32], u64)], least: f64) -> Vec<usize> {
    let mut depths: Vec<usize> = rows.iter().map(|(path, _)| path.len()).collect();
    // The boxes that the last row stands in: where each begins, and its energy.
    let mut open: Vec<(usize, u64)> = Vec::new();
    let mut close = |open: &mut Vec<(usize, u64)>, to: usize, end: usize| {
        while open.len() > to.max(1) {
            let Some((begin, uj)) = open.pop() else { break };
            if (uj as f64) < least {
                let depth = open.len();
                let inside = depths.get_mut(begin..end).unwrap_or_default();
                inside.iter_mut().for_each(|of| *of = (*of).min(depth));
            }
        }
        open.truncate(to);
    };
    let mut last: &[u32] = &[];
    for (at, &(path, uj)) in rows.iter().enumerate() {
        let same = path.iter().zip(last).take_while(|(a, b)| a == b).count();
        close(&mut open, same, at);
        open.resize(path.len(), (at, 0));
        for (_, sum) in &mut open {
            *sum = sum.saturating_add(uj);
        }
        last = path;
    }
    close(&mut open, 0, rows.len());
    depths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_narrow_counts_to_what_it_stands_on_where_it_was() {
        let names = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        let folded = |uj| Folded { uj, of: Vec::new() };
        let stacks = Stacks {
            names,
            rows: [
                (vec![0, 1], folded(50)),
                (vec![0, 1, 2], folded(2)),
                (vec![0, 1, 2, 3], folded(3)),
                (vec![0, 1, 3], folded(30)),
                (vec![0, 1, 4, 2], folded(4)),
                (vec![0, 1, 4, 3], folded(5)),
                (vec![1, 2], folded(6)),
            ]
            .into(),
        };
        assert_eq!(
            stacks.wide(10.0),
            ["a;b 55", "a;b;d 30", "a;b 9", "b 6"],
            "a box of its own for the root's children, whatever they have"
        );
        assert_eq!(stacks.wide(9.0)[2..], ["a;b;e 9", "b 6"]);
        let all: Vec<String> = stacks.lines().collect();
        assert_eq!(stacks.wide(0.0), all);
    }

    #[test]
    fn numbers_become_places_in_the_order_of_names() {
        let mut names = Numbered::default();
        for name in ["c", "a", "b", "a"] {
            names.number(name.to_owned());
        }
        let (names, places) = names.in_order();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(places, [2, 0, 1]);
    }
}
