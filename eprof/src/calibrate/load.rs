//! What the CPUs are kept busy with: real work, of kinds that differ in what
//! the counters say and in what they draw.

use std::hint::black_box;

use super::store::Store;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Load {
    /// Integer arithmetic in registers, four independent chains.
    Integer,
    /// Multiplications and additions of vectors of floating-point numbers in
    /// the first-level cache.
    Vector,
    /// Reads a buffer from end to end that no cache holds.
    Memory,
    /// Follows pointers through that buffer: one miss after the other.
    Chase,
    /// Branches that nobody can predict.
    Branch,
    /// All of these in turn.
    Mixed,
}

impl Load {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Integer,
        Self::Vector,
        Self::Memory,
        Self::Chase,
        Self::Branch,
        Self::Mixed,
    ];

    /// The name of the threads that do it; at most 15 bytes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integer => "load-integer",
            Self::Vector => "load-vector",
            Self::Memory => "load-memory",
            Self::Chase => "load-chase",
            Self::Branch => "load-branch",
            Self::Mixed => "load-mixed",
        }
    }
}

/// Where a thread is in its work.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    load: Load,
    store: &'a Store,
    lanes: [u64; 4],
    vector: Box<[f64; 512]>,
    at: usize,
    turns: usize,
}

impl<'a> Worker<'a> {
    /// A thread's share; `number` makes it differ from the other threads'.
    pub(super) fn new(load: Load, store: &'a Store, number: usize) -> Self {
        let seed = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(number as u64 + 1);
        Self {
            load,
            store,
            lanes: [seed, seed ^ 0xFF, !seed, seed.rotate_left(17)],
            vector: Box::new([1.000_1; 512]),
            at: number.wrapping_mul(0x0010_0001),
            turns: 0,
        }
    }

    /// Works for some tens of microseconds.
    pub(super) fn work(&mut self) {
        self.turns = self.turns.wrapping_add(1);
        let load = match self.load {
            Load::Mixed => Load::ALL[self.turns / 16 % 5],
            load => load,
        };
        match load {
            Load::Integer | Load::Mixed => self.integer(),
            Load::Vector => self.vector(),
            Load::Memory => {
                black_box(self.store.stream(&mut self.at));
            }
            Load::Chase => self.store.chase(&mut self.at),
            Load::Branch => self.branch(),
        }
    }

    fn integer(&mut self) {
        for _ in 0..5_000 {
            for lane in &mut self.lanes {
                *lane ^= *lane << 13;
                *lane = lane.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 1 | 1;
            }
        }
        self.lanes = black_box(self.lanes);
    }

    fn vector(&mut self) {
        for _ in 0..60 {
            for value in self.vector.iter_mut() {
                // Tends to 1, so that no operand is ever subnormal.
                *value = *value * 0.75 + 0.25;
            }
            black_box(&mut self.vector);
        }
    }

    fn branch(&mut self) {
        let mut sum = self.lanes[1];
        for _ in 0..4_000 {
            let lane = &mut self.lanes[0];
            *lane ^= *lane << 13;
            *lane ^= *lane >> 7;
            *lane ^= *lane << 17;
            // A call on either side, so that it cannot become a conditional
            // move.
            sum = if *lane & 0x10 == 0 {
                turn_left(sum)
            } else {
                turn_right(sum)
            };
        }
        self.lanes[1] = black_box(sum);
    }
}

#[inline(never)]
fn turn_left(value: u64) -> u64 {
    black_box(value.rotate_left(3))
}

#[inline(never)]
fn turn_right(value: u64) -> u64 {
    black_box(value.wrapping_sub(7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_a_thread_and_differ() {
        let mut names: Vec<&str> = Load::ALL.iter().map(|load| load.name()).collect();
        assert!(names.iter().all(|name| name.len() <= 15));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Load::ALL.len());
    }

    #[test]
    fn every_load_works() {
        let store = Store::of_bytes(1 << 16);
        for load in Load::ALL {
            let mut worker = Worker::new(load, &store, 1);
            for _ in 0..100 {
                worker.work();
            }
            assert!(worker.vector.iter().all(|value| value.is_normal()));
        }
    }
}
