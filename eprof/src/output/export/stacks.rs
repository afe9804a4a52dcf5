//! What the formats for stacks have in common.

use std::collections::HashMap;

use crate::apportion::apportion;
use crate::profile::{Profile, StackRow, ThreadRow};
use crate::unit::Microjoules;

use super::super::folded::comms;

/// A stack that was charged, sampled or on a CPU.
pub(super) struct Stack<'a> {
    pub(super) row: &'a StackRow,
    /// Its thread, with the last name of its process.
    pub(super) thread: Option<(&'a ThreadRow, &'a str)>,
    /// Its part of the thread's CPU time, nanoseconds.
    pub(super) cpu_ns: u64,
}

/// All stacks, in the order of the profile. The CPU times of a thread's stacks
/// add up to the thread's: each has as much of it as it has of the samples (of
/// the energy, where there are none).
pub(super) fn stacks(profile: &Profile) -> Vec<Stack<'_>> {
    let comms = comms(profile);
    let mut of_thread: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, row) in profile.stacks.iter().enumerate() {
        of_thread.entry(row.thread).or_default().push(at);
    }
    let mut cpu = vec![0; profile.stacks.len()];
    for (thread, rows) in &of_thread {
        let Some(thread) = profile.threads.get(*thread) else {
            continue;
        };
        let weights = |of: &dyn Fn(&StackRow) -> u64| -> Vec<u64> {
            let rows = rows.iter().filter_map(|&at| profile.stacks.get(at));
            rows.map(of).collect()
        };
        let mut by = weights(&|row| row.samples);
        if by.iter().all(|&samples| samples == 0) {
            by = weights(&|row| row.energy.with_idle.0);
        }
        // Exact for any integers, whatever they count.
        for (&at, part) in rows.iter().zip(apportion(Microjoules(thread.cpu.0), &by)) {
            cpu[at] = part.0;
        }
    }
    let name = |row: &StackRow| {
        let thread = profile.threads.get(row.thread)?;
        let comm = comms.get(&thread.process).copied();
        Some((thread, comm.unwrap_or(&thread.comm)))
    };
    let rows = profile.stacks.iter().zip(cpu);
    rows.map(|(row, cpu_ns)| Stack {
        row,
        thread: name(row),
        cpu_ns,
    })
    .filter(|of| of.row.energy.with_idle.0 > 0 || of.cpu_ns > 0 || of.row.samples > 0)
    .collect()
}
