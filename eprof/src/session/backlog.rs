//! Samples on their way into the recording: some wait for an unwind table, and
//! their interval with them.

use std::collections::VecDeque;

use crate::kernel::{COUNTERS, IntervalAccounts, Sample, TaskId};
use crate::recording::Frame;
use crate::source::Reading;
use crate::symbol::{Objects, Place, stack};
use crate::unit::{Nanos, Timestamp};
use crate::unwind::Unwinder;

/// Most samples that wait, each with a copy of a stack of some 16 KiB.
const MOST_WAITING: usize = 4096;

/// A sample that was taken.
pub(super) struct Taken {
    pub(super) at: Timestamp,
    pub(super) task: TaskId,
    pub(super) cpu: u32,
    pub(super) spent: Nanos,
    pub(super) counts: [u64; COUNTERS],
    stack: Stack,
}

enum Stack {
    Whole(Vec<Frame>),
    /// What was sampled, and where.
    Part(Box<(Sample, Option<Place>)>),
}

impl Taken {
    /// `sample` of `task`, taken at `place`.
    pub(super) fn new(
        task: TaskId,
        sample: Sample,
        place: Option<Place>,
        unwinder: &mut Unwinder,
        objects: &Objects,
    ) -> Self {
        let mut taken = Self {
            at: sample.at,
            task,
            cpu: sample.cpu,
            spent: sample.spent,
            counts: sample.counts,
            stack: Stack::Part(Box::new((sample, place))),
        };
        taken.retry(unwinder, objects);
        taken
    }

    fn is_whole(&self) -> bool {
        matches!(self.stack, Stack::Whole(_))
    }

    /// Tries to walk the rest of the stack.
    fn retry(&mut self, unwinder: &mut Unwinder, objects: &Objects) {
        if let Stack::Part(part) = &mut self.stack {
            let (sample, place) = &mut **part;
            let nothing = Place::default();
            let known = place.as_ref().unwrap_or(&nothing);
            if unwinder.complete(sample, &known.space, objects) {
                self.stack = Stack::Whole(stack::frames_in(sample, place.as_ref()));
            }
        }
    }

    /// Walks as far as the tables that there are allow.
    fn abandon(&mut self, unwinder: &Unwinder) {
        if let Stack::Part(part) = &mut self.stack {
            let (sample, place) = &mut **part;
            let nothing = Place::default();
            unwinder.abandon(sample, &place.as_ref().unwrap_or(&nothing).space);
            self.stack = Stack::Whole(stack::frames_in(sample, place.as_ref()));
        }
    }

    /// The frames, root first.
    pub(super) fn frames(&self) -> &[Frame] {
        match &self.stack {
            Stack::Whole(frames) => frames,
            Stack::Part(_) => &[],
        }
    }
}

/// An interval that has ended, but is not yet in the recording.
pub(super) struct Ended {
    pub(super) accounts: IntervalAccounts,
    pub(super) readings: Vec<Reading>,
    pub(super) samples: Vec<Taken>,
}

/// Samples and intervals, in order of time.
#[derive(Default)]
pub(super) struct Backlog {
    /// Samples taken after the last border: those of the next interval.
    early: Vec<Taken>,
    ended: VecDeque<Ended>,
}

impl Backlog {
    /// Adds a sample.
    pub(super) fn add(&mut self, sample: Taken) {
        self.early.push(sample);
    }

    /// Forgets samples up to `border`, and intervals.
    pub(super) fn forget(&mut self, border: Timestamp) {
        self.early.retain(|sample| sample.at > border);
        self.ended.clear();
    }

    /// Samples of intervals that have not ended.
    pub(super) fn early(&self) -> usize {
        self.early.len()
    }

    /// Ends an interval. eprof may not have got to run for a while since the
    /// border: what was sampled meanwhile belongs to time that is not yet
    /// accounted.
    pub(super) fn end(&mut self, accounts: IntervalAccounts, readings: Vec<Reading>) {
        let end = accounts.end;
        let (early, samples) = std::mem::take(&mut self.early)
            .into_iter()
            .partition(|sample| sample.at > end);
        self.early = early;
        self.ended.push_back(Ended {
            accounts,
            readings,
            samples,
        });
    }

    /// Tries again to complete what waits.
    pub(super) fn retry(&mut self, unwinder: &mut Unwinder, objects: &Objects) {
        let ended = self.ended.iter_mut().flat_map(|ended| &mut ended.samples);
        for sample in ended.chain(&mut self.early) {
            sample.retry(unwinder, objects);
        }
    }

    /// The next interval, if all its samples are complete. Where too much
    /// waits, or with `now`, they are taken as they are.
    pub(super) fn next(&mut self, now: bool, unwinder: &Unwinder) -> Option<Ended> {
        let waiting = |samples: &[Taken]| samples.iter().filter(|one| !one.is_whole()).count();
        let all: usize = self.ended.iter().map(|ended| waiting(&ended.samples)).sum();
        let first = self.ended.front_mut()?;
        if waiting(&first.samples) > 0 {
            if !now && all + waiting(&self.early) <= MOST_WAITING {
                return None;
            }
            first
                .samples
                .iter_mut()
                .for_each(|sample| sample.abandon(unwinder));
        }
        self.ended.pop_front()
    }

    /// Whether an interval waits for a table.
    pub(super) fn is_waiting(&self) -> bool {
        !self.ended.is_empty()
    }
}
