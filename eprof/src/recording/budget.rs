//! How much memory a recording may take: a small file must not become a large one.

use std::mem::size_of;

use super::record::Record;
use crate::measurement::{Frame, Line, Object, Segment, StackNode, Symbol, Task};

/// What any recording may take, in bytes.
const FREE: u64 = 64 << 20;

/// How often its own length a longer one may take. What eprof writes takes less than
/// half of that.
const PER_BYTE: u64 = 8;

/// What is left of the memory for the catalogue of a recording.
#[derive(Debug)]
pub(super) struct Budget {
    most: u64,
    used: u64,
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
        }
    }

    /// Takes a record into account; refuses it as the second half of a sentence.
    pub(super) fn take(&mut self, record: &Record) -> Result<(), String> {
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
