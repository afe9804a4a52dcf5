//! How much memory a recording may take: a small file must not become a large one.

use std::mem::size_of;

use super::record::Record;
use crate::measurement::{Frame, Line, Object, Segment, StackNode, Symbol, Task};

/// What any recording may take, in bytes.
const FREE: u64 = 48 << 20;

/// How often its own length a longer one may take. What eprof writes takes less than
/// half of that.
const PER_BYTE: u64 = 8;

/// How many samples any recording may have. Exports in time hold them all.
const FREE_SAMPLES: u64 = 1 << 20;

/// How many more a longer one may have per byte. In what eprof writes, each takes more
/// than one: the time that it stands for is hardly ever the same.
const SAMPLES_PER_BYTE: u64 = 1;

/// How many tasks any recording may have. Each has rows of its own in a report, which
/// take some kilobytes.
const FREE_TASKS: u64 = 32 << 10;

/// Of how many bytes a longer one may have one more. What eprof writes takes three times
/// as many for a short process.
const BYTES_PER_TASK: u64 = 24;

/// What is left of the memory for the catalogue of a recording.
#[derive(Debug)]
pub(super) struct Budget {
    most: u64,
    used: u64,
    tasks: u64,
    samples: u64,
}

impl Budget {
    /// Of a recording of `length` bytes, where that is known.
    pub(super) fn of(length: Option<u64>) -> Self {
        Self {
            most: length
                .unwrap_or(0)
                .saturating_mul(PER_BYTE)
                .saturating_add(FREE),
            used: 0,
            tasks: FREE_TASKS.saturating_add(length.unwrap_or(0) / BYTES_PER_TASK),
            samples: length
                .unwrap_or(0)
                .saturating_mul(SAMPLES_PER_BYTE)
                .saturating_add(FREE_SAMPLES),
        }
    }

    /// Takes the samples of an interval into account; refuses them likewise.
    pub(super) fn samples(&mut self, number: u64) -> Result<(), String> {
        self.samples = self
            .samples
            .checked_sub(number)
            .ok_or("holds more samples than a recording of its length can have")?;
        Ok(())
    }

    /// Takes a record into account; refuses it as the second half of a sentence.
    pub(super) fn take(&mut self, record: &Record) -> Result<(), String> {
        if matches!(record, Record::Task(_)) {
            self.tasks = self
                .tasks
                .checked_sub(1)
                .ok_or("holds more tasks than a recording of its length can have")?;
        }
        self.used = self.used.saturating_add(weight(record) as u64);
        if self.used <= self.most {
            return Ok(());
        }
        let most = self.most >> 20;
        Err(format!(
            "holds more than {most} MiB of tasks, stacks and names"
        ))
    }
}

/// What a record takes in memory, in bytes.
fn weight(record: &Record) -> usize {
    /// What an allocation takes besides its bytes.
    const EACH: usize = 16;
    let text = |text: &String| text.capacity() + EACH;
    match record {
        Record::Task(task) => size_of::<Task>() + text(&task.comm) + EACH,
        Record::Renamed { comm, .. } => size_of::<Task>() + text(comm),
        Record::Object(object) => size_of::<Object>() + text(&object.path) + 4 * EACH,
        Record::Frame(_) => 2 * size_of::<Frame>(),
        Record::Stack(_) => 2 * size_of::<StackNode>(),
        Record::Symbol(symbol) => {
            let names = symbol.functions.iter().map(text);
            let list = symbol.functions.capacity() * size_of::<String>();
            size_of::<Symbol>() + list + names.sum::<usize>()
        }
        Record::Lines(lines) => {
            let files = lines.lines.iter().flatten().map(|line| text(&line.file));
            let list = lines.lines.capacity() * size_of::<Option<Line>>();
            4 * EACH + list + files.sum::<usize>()
        }
        Record::Segments { segments, .. } => 4 * EACH + segments.capacity() * size_of::<Segment>(),
        Record::Labels { labels } => {
            let each = labels.iter().map(|(name, value)| text(name) + text(value));
            each.map(|each| each + 8 * EACH).sum()
        }
        Record::Gone { .. } | Record::Interval(_) | Record::Header(_) | Record::End(_) => 0,
    }
}
