//! The energy of blocks of time, and what each consumer did in them: what
//! weights are found from.

use std::collections::BTreeMap;

use crate::timeline::BoundaryError;
use crate::unit::{Microjoules, Nanos};

use super::activity::{Activity, Consumer};
use super::columns::{Row, WIDTH};

/// Length of a block. Shorter ones would be noise by the register's updates,
/// longer ones mix what should stay apart (of 20 to 250 ms, 50 ms misplaced
/// least in simulations).
const BLOCK: Nanos = Nanos(50_000_000);

/// Most blocks of a meter; with more, neighbours become one, so that memory
/// does not grow with the length of the run.
const MOST: usize = 4096;

/// The energy of one meter over a block of time, and who ran.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// Length in seconds.
    pub(super) seconds: f64,
    /// Energy above idle, joules.
    pub(super) energy: f64,
    /// Standard deviations of what belongs to either side of its begin and of
    /// its end, joules.
    pub(super) ends: (f64, f64),
    /// What each consumer did.
    pub(super) rows: BTreeMap<Consumer, Row>,
}

impl Block {
    /// The signals of all consumers together.
    pub(super) fn whole(&self) -> Row {
        let mut whole = [0.0; WIDTH];
        for row in self.rows.values() {
            add(&mut whole, row);
        }
        whole
    }

    /// Variance of the energy because its ends are dated no better, J².
    pub(super) fn variance(&self) -> f64 {
        self.ends.0.powi(2) + self.ends.1.powi(2)
    }

    fn join(&mut self, other: Self) {
        self.ends.1 = other.ends.1;
        self.seconds += other.seconds;
        self.energy += other.energy;
        for (consumer, row) in other.rows {
            add(self.rows.entry(consumer).or_insert([0.0; WIDTH]), &row);
        }
    }
}

fn add(sum: &mut Row, row: &Row) {
    for (sum, cell) in sum.iter_mut().zip(row) {
        *sum += cell;
    }
}

/// The blocks of one meter, in order of time.
#[derive(Clone, Debug)]
pub(super) struct TrainingBlocks {
    blocks: Vec<Block>,
    open: Block,
    /// How long a block is, seconds.
    length: f64,
}

impl Default for TrainingBlocks {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            open: Block::default(),
            length: BLOCK.seconds(),
        }
    }
}

impl TrainingBlocks {
    /// Adds a span of known energy, of which `dynamic` is above idle.
    pub(super) fn push(
        &mut self,
        dynamic: Microjoules,
        boundary: BoundaryError,
        activity: &Activity,
    ) {
        self.open.ends.1 = boundary.sd / 1e6;
        self.open.seconds += activity.length.seconds();
        self.open.energy += dynamic.0 as f64 / 1e6;
        for (consumer, work) in &activity.consumers {
            if work.time > 0 {
                add(
                    self.open.rows.entry(*consumer).or_insert([0.0; WIDTH]),
                    &work.row,
                );
            }
        }
        // A span that is a hair too short is not worth another one.
        if self.open.seconds >= self.length * 0.95 {
            let next = Block {
                ends: (self.open.ends.1, 0.0),
                ..Block::default()
            };
            self.blocks.push(std::mem::replace(&mut self.open, next));
            if self.blocks.len() == MOST {
                self.halve();
            }
        }
    }

    fn halve(&mut self) {
        self.length *= 2.0;
        let mut halves = std::mem::take(&mut self.blocks).into_iter();
        while let Some(mut block) = halves.next() {
            if let Some(next) = halves.next() {
                block.join(next);
            }
            self.blocks.push(block);
        }
    }

    /// The blocks, the last one at least half as long as the others (a
    /// shorter one is joined with its neighbour).
    pub(super) fn finish(mut self) -> Vec<Block> {
        if self.open.seconds * 2.0 >= self.length || self.blocks.is_empty() {
            if self.open.seconds > 0.0 {
                self.blocks.push(self.open);
            }
        } else if let Some(last) = self.blocks.last_mut() {
            last.join(self.open);
        }
        self.blocks
    }
}
