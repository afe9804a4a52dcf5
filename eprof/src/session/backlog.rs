//! Samples on their way into the recording: some wait for the rest of their
//! stack, and their interval with them.

use std::collections::{HashMap, VecDeque};

use crate::kernel::Sample;
use crate::mappings::Objects;
use crate::measurement::{Frame, IntervalAccounts, Reading, TaskId};
use crate::symbol::{SampleContext, stack};
use crate::unit::Timestamp;
use crate::unwind::{self, Ticket, Unwinder, Walked};

/// A sample that was taken.
pub(super) struct Taken {
    pub(super) task: TaskId,
    pub(super) sample: Sample,
    stack: Stack,
}

enum Stack {
    Whole(Vec<Frame>),
    /// Where the sample was taken, and who walks the rest.
    Part(Option<SampleContext>, Ticket),
}

impl Taken {
    /// `sample` of `task`, taken in `context`.
    pub(super) fn new(
        task: TaskId,
        mut sample: Sample,
        context: Option<SampleContext>,
        unwinder: &mut Unwinder,
        objects: &Objects,
    ) -> Self {
        let nothing = SampleContext::default();
        let space = &context.as_ref().unwrap_or(&nothing).space;
        let ticket = unwinder.begin(&mut sample, space, objects);
        let stack = match ticket {
            Some(ticket) => Stack::Part(context, ticket),
            None => whole(&mut sample, context.as_ref()),
        };
        Self {
            task,
            sample,
            stack,
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self.stack, Stack::Whole(_))
    }

    /// Takes the rest of the stack out of `walked`, if it is there.
    fn complete(&mut self, walked: &mut HashMap<Ticket, Walked>) {
        if let Stack::Part(context, ticket) = &self.stack
            && let Some(walked) = walked.remove(ticket)
        {
            unwind::finish(&mut self.sample, &walked);
            self.stack = whole(&mut self.sample, context.as_ref());
        }
    }

    /// Leaves the stack as it is.
    fn abandon(&mut self) {
        if let Stack::Part(context, _) = &self.stack {
            self.stack = whole(&mut self.sample, context.as_ref());
        }
    }

    /// The frames, root first.
    pub(super) fn frames(&self) -> &[Frame] {
        match &self.stack {
            Stack::Whole(frames) => frames,
            Stack::Part(..) => &[],
        }
    }
}

/// The frames of `sample`, whose addresses nobody needs from now on.
fn whole(sample: &mut Sample, context: Option<&SampleContext>) -> Stack {
    let frames = stack::frames_in(sample, context);
    (sample.kernel, sample.user) = (Vec::new(), Vec::new());
    Stack::Whole(frames)
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
    /// Samples taken after the last boundary: those of the next interval.
    early: Vec<Taken>,
    ended: VecDeque<Ended>,
}

impl Backlog {
    /// Adds a sample.
    pub(super) fn add(&mut self, sample: Taken) {
        self.early.push(sample);
    }

    /// Forgets samples up to `boundary`, and intervals.
    pub(super) fn forget(&mut self, boundary: Timestamp) {
        self.early.retain(|taken| taken.sample.at > boundary);
        self.ended.clear();
    }

    /// Samples of intervals that have not ended.
    pub(super) fn early(&self) -> usize {
        self.early.len()
    }

    /// Ends an interval. eprof may not have got to run for a while since the
    /// boundary: what was sampled meanwhile belongs to time that is not yet
    /// accounted.
    pub(super) fn end(&mut self, accounts: IntervalAccounts, readings: Vec<Reading>) {
        let end = accounts.end;
        let (early, samples) = std::mem::take(&mut self.early)
            .into_iter()
            .partition(|taken| taken.sample.at > end);
        self.early = early;
        self.ended.push_back(Ended {
            accounts,
            readings,
            samples,
        });
    }

    /// Completes what waited for `walked`.
    pub(super) fn complete(&mut self, mut walked: HashMap<Ticket, Walked>) {
        let ended = self.ended.iter_mut().flat_map(|ended| &mut ended.samples);
        for sample in ended.chain(&mut self.early) {
            if walked.is_empty() {
                return;
            }
            sample.complete(&mut walked);
        }
    }

    /// The next interval, if all its samples are complete; with `now`, they
    /// are taken as they are.
    pub(super) fn next(&mut self, now: bool) -> Option<Ended> {
        let first = self.ended.front_mut()?;
        if !first.samples.iter().all(Taken::is_whole) {
            if !now {
                return None;
            }
            first.samples.iter_mut().for_each(Taken::abandon);
        }
        self.ended.pop_front()
    }

    /// Whether an interval waits for a stack.
    pub(super) fn is_waiting(&self) -> bool {
        !self.ended.is_empty()
    }
}
