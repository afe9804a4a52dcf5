//! Processes of one name together: what a build or a shell loop cost per
//! command, where no single process is worth a row.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::model::{CommandRow, ProcessRow, Profile};

impl Profile {
    /// One row per distinct name of a process; most energy first, ties by
    /// name.
    ///
    /// Names are told apart byte by byte, also where they look the same.
    pub fn commands(&self) -> Vec<CommandRow> {
        by_command(&self.processes)
    }
}

/// Adds up `processes`, whatever their order, by their names.
fn by_command(processes: &[ProcessRow]) -> Vec<CommandRow> {
    let mut rows: BTreeMap<&str, CommandRow> = BTreeMap::new();
    for process in processes {
        let ProcessRow {
            key: _,
            parent: _,
            comm,
            threads: _,
            energy,
            ci90,
            cpu,
            events,
            samples,
        } = process;
        let row = rows.entry(comm).or_insert_with(|| CommandRow {
            comm: comm.clone(),
            processes: 0,
            energy: Default::default(),
            ci90: Default::default(),
            cpu: Default::default(),
            events: Default::default(),
            samples: 0,
        });
        row.processes += 1;
        row.energy += *energy;
        // Processes of one run share the boundaries of their intervals and the
        // idle power, so their errors are not independent, and adding them in
        // quadrature would promise too much. How they hang together is not
        // known any more once they are rows; that they all go the same way is
        // the worst case. Standard deviations, magnitudes and what is put
        // together from them in quadrature obey the triangle inequality, so
        // the plain sum is an upper bound. It is a generous one where
        // processes follow each other: what a boundary takes from one, it gives
        // to the next.
        row.ci90 += *ci90;
        row.cpu += *cpu;
        row.events += *events;
        row.samples = row.samples.saturating_add(*samples);
    }
    let mut rows: Vec<CommandRow> = rows.into_values().collect();
    // Stable: ties stay in the order of their names.
    rows.sort_by_key(|row| Reverse(row.energy.with_idle));
    rows
}
