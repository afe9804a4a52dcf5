//! The catalogue of a recording: everything but its intervals.

use std::collections::BTreeMap;
use std::io::Read;

use crate::caveat::Caveat;
use crate::error::Result;
use crate::measurement::{Event, Task, TaskId};
use crate::unit::Timestamp;

use super::read::Reader;
use super::record::{End, Header, IntervalRecord, Record};
use crate::measurement::{Frame, FrameId, Line, Object, ObjectId, Segment, StackNode, Symbol};

/// A thread's new name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// Which thread.
    pub task: TaskId,
    /// When.
    pub at: Timestamp,
    /// The name.
    pub comm: String,
}

/// Everything that a recording says, except its intervals. An id is the
/// position in its list.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalog {
    /// What was known before the target started.
    pub header: Header,
    /// The target's threads.
    pub tasks: Vec<Task>,
    /// Their new names, in the order of the recording.
    pub renames: Vec<Rename>,
    /// When each ended, by task; `None` where that was not seen.
    pub gone: Vec<Option<Timestamp>>,
    /// What frames point into.
    pub objects: Vec<Object>,
    /// The frames.
    pub frames: Vec<Frame>,
    /// The tree of stacks.
    pub stacks: Vec<StackNode>,
    /// The functions of those frames that have a name, in the order of the
    /// recording.
    pub symbols: Vec<Symbol>,
    /// The source lines of their functions, where known.
    pub lines: BTreeMap<FrameId, Vec<Option<Line>>>,
    /// The code segments of objects, where known.
    pub segments: BTreeMap<ObjectId, Vec<Segment>>,
    /// What tells the run from others of the same job: `rank`.
    pub labels: BTreeMap<String, String>,
    /// What was known when the target had ended; `None` where the recording
    /// was cut off.
    pub end: Option<End>,
    /// What is missing from the recording itself. (The header and the end
    /// have caveats of their own.)
    pub caveats: Vec<Caveat>,
}

impl Catalog {
    /// A catalogue that holds nothing but a header.
    pub fn new(header: Header) -> Self {
        Self {
            header,
            tasks: Vec::new(),
            renames: Vec::new(),
            gone: Vec::new(),
            objects: Vec::new(),
            frames: Vec::new(),
            stacks: Vec::new(),
            symbols: Vec::new(),
            lines: BTreeMap::new(),
            segments: BTreeMap::new(),
            labels: BTreeMap::new(),
            end: None,
            caveats: Vec::new(),
        }
    }

    /// The events of the accounts that can be trusted. Only the end tells whether
    /// a hardware counter ran all the time.
    pub fn trusted_events(&self) -> Vec<Event> {
        let trusted = |event: &Event| match (event, &self.end) {
            (Event::Counter(_), None) => false,
            (Event::Counter(counter), Some(end)) => !end.distrusted.contains(counter),
            _ => true,
        };
        let events = self.header.events.iter().copied();
        events.filter(trusted).collect()
    }

    /// Takes in a record that was checked, and gives it back if it is an
    /// interval.
    pub fn take(&mut self, record: Record) -> Option<IntervalRecord> {
        match record {
            Record::Header(header) => self.header = *header,
            Record::Task(task) => {
                self.tasks.push(task);
                self.gone.push(None);
            }
            Record::Renamed { task, at, comm } => self.renames.push(Rename { task, at, comm }),
            Record::Gone { task, at } => {
                if let Some(gone) = self.gone.get_mut(task.0 as usize) {
                    *gone = Some(at);
                }
            }
            Record::Object(object) => self.objects.push(object),
            Record::Frame(frame) => self.frames.push(frame),
            Record::Stack(node) => self.stacks.push(node),
            Record::Interval(interval) => return Some(interval),
            Record::Symbol(symbol) => self.symbols.push(symbol),
            Record::End(end) => self.end = Some(*end),
            Record::Lines(of) => {
                self.lines.insert(of.frame, of.lines);
            }
            Record::Segments { object, segments } => {
                self.segments.insert(object, segments);
            }
            Record::Labels { labels } => self.labels.extend(labels),
        }
        None
    }

    /// Reads a catalogue, and hands each interval to `interval`.
    ///
    /// # Errors
    ///
    /// `Data` if there is no whole header or a rule of the format is broken;
    /// mere damage is a caveat.
    pub(super) fn read<R: Read>(
        reader: &mut Reader<R>,
        mut interval: impl FnMut(IntervalRecord),
    ) -> Result<Self> {
        // The first record is a header, or the reader refuses it.
        let mut catalog = match reader.next().transpose()? {
            Some(Record::Header(header)) => Self::new(*header),
            _ => return Err(reader.nothing()),
        };
        let mut budget = reader.budget();
        while let Some(record) = reader.next().transpose()? {
            let room = budget.take(&record);
            let room = room.and_then(|()| budget.samples(reader.sampled()));
            room.map_err(|rule| reader.refuse(rule))?;
            if let Some(one) = catalog.take(record) {
                interval(one);
            }
        }
        catalog.caveats = reader.caveats();
        Ok(catalog)
    }
}
