//! How the stacks of threads were seen in a span of time.

use std::ops::Range;

use crate::measurement::{StackId, TaskId};
use crate::recording::SampleCount;

/// Weights of samples are integers for the exact split; the heaviest stack of
/// a span weighs so much.
const HEAVIEST: f64 = 1e12;

/// How each stack of one thread was seen in one span: by position in the
/// lists, which are equally long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts<'a> {
    pub(super) stacks: &'a [StackId],
    /// How often.
    pub(super) counts: &'a [u64],
    /// How heavy that was.
    pub(super) weights: &'a [u64],
}

/// The stacks of all threads in one span, those of each in ascending order.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampled {
    stacks: Vec<StackId>,
    counts: Vec<u64>,
    weights: Vec<u64>,
    /// Ascending, with where theirs are.
    threads: Vec<(TaskId, Range<usize>)>,
    /// What the stacks of the last thread weigh, in any unit.
    heavy: Vec<f64>,
}

impl Sampled {
    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.stacks.clear();
        self.counts.clear();
        self.weights.clear();
        self.threads.clear();
        self.heavy.clear();
    }

    /// Takes in the samples of a span in place of the last one's, weighed by
    /// `weigh`; where that is zero for one of a thread's stacks, by their
    /// number.
    pub(super) fn fill(&mut self, samples: &[SampleCount], weigh: impl Fn(&SampleCount) -> f64) {
        self.clear();
        let key = |of: &SampleCount| (of.task, of.stack);
        if samples.is_sorted_by(|a, b| key(a) < key(b)) {
            for thread in samples.chunk_by(|a, b| a.task == b.task) {
                self.stacks.extend(thread.iter().map(|of| of.stack));
                self.counts
                    .extend(thread.iter().map(|of| u64::from(of.count)));
                self.heavy.extend(thread.iter().map(&weigh));
                self.end(thread[0].task);
            }
            return;
        }
        let one = |of: &SampleCount| (key(of), u64::from(of.count), weigh(of));
        let mut sorted: Vec<_> = samples.iter().map(one).collect();
        // By everything, so that sums do not depend on the order in the recording.
        sorted.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
        for thread in sorted.chunk_by(|a, b| a.0.0 == b.0.0) {
            for seen in thread.chunk_by(|a, b| a.0 == b.0) {
                let counts = seen.iter().map(|of| of.1);
                self.stacks.push(seen[0].0.1);
                self.counts.push(counts.fold(0, u64::saturating_add));
                self.heavy.push(seen.iter().map(|of| of.2).sum());
            }
            self.end(thread[0].0.0);
        }
    }

    /// What was added last are the stacks of `task`.
    fn end(&mut self, task: TaskId) {
        let begin = self.weights.len();
        self.threads.push((task, begin..self.stacks.len()));
        self.weigh();
    }

    /// Weighs the stacks of the last thread.
    fn weigh(&mut self) {
        let heaviest = self.heavy.iter().fold(0.0, |most: f64, of| most.max(*of));
        let sound = heaviest.is_finite() && self.heavy.iter().all(|of| *of > 0.0);
        if sound {
            let weight = |of: f64| ((of / heaviest * HEAVIEST) as u64).max(1);
            self.weights.extend(self.heavy.iter().map(|of| weight(*of)));
        } else {
            let counts = &self.counts[self.weights.len()..];
            self.weights.extend_from_slice(counts);
        }
        self.heavy.clear();
    }

    /// Those of a thread; none, if it was not sampled.
    pub(super) fn of(&self, task: TaskId) -> Counts<'_> {
        let found = self.threads.binary_search_by_key(&task, |of| of.0);
        found.map_or_else(|_| Counts::default(), |at| self.at(at))
    }

    /// Those of all threads that were sampled.
    pub(super) fn threads(&self) -> impl Iterator<Item = (TaskId, Counts<'_>)> {
        let threads = self.threads.iter().enumerate();
        threads.map(|(at, (task, _))| (*task, self.at(at)))
    }

    fn at(&self, at: usize) -> Counts<'_> {
        let (_, range) = &self.threads[at];
        Counts {
            stacks: &self.stacks[range.clone()],
            counts: &self.counts[range.clone()],
            weights: &self.weights[range.clone()],
        }
    }
}
