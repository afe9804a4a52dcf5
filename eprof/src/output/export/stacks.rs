//! What the formats for stacks have in common.

use crate::profile::{Profile, StackRow, ThreadRow};

use super::super::folded::comms;

/// A stack that was charged, sampled or on a CPU.
pub(super) struct Stack<'a> {
    pub(super) row: &'a StackRow,
    /// Its thread, with the last name of its process.
    pub(super) thread: Option<(&'a ThreadRow, &'a str)>,
}

impl Stack<'_> {
    fn is_anything(&self) -> bool {
        self.row.energy.with_idle.0 > 0 || self.row.cpu.0 > 0 || self.row.samples > 0
    }
}

/// All stacks, in the order of the profile.
pub(super) fn stacks(profile: &Profile) -> Vec<Stack<'_>> {
    let comms = comms(profile);
    let name = |row: &StackRow| {
        let thread = profile.threads.get(row.thread)?;
        let comm = comms.get(&thread.process).copied();
        Some((thread, comm.unwrap_or(&thread.comm)))
    };
    let stacks = profile.stacks.iter().map(|row| Stack {
        row,
        thread: name(row),
    });
    stacks.filter(|of| of.is_anything()).collect()
}
