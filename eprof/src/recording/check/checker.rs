//! Checks one record after the other.

use super::coverage::{Coverage, Missing};
use super::interval::{Clock, Defined};
use super::rules::{
    Broken, MAX_BUILD_ID, MAX_DEPTH, MAX_INLINED, MAX_LABELS, MAX_SEGMENTS, NO_HEADER, comm, known,
    more, next, string, time,
};
use super::{end, header};
use crate::measurement::{
    Counter, CpuAccount, Event, Frame, Lines, Object, StackNode, Symbol, Task, ThreadAccount,
};
use crate::recording::record::{Record, SampleCount};

/// Checks records in the order in which they appear.
#[derive(Debug, Default)]
pub struct Checker {
    shape: Option<header::Shape>,
    tasks: u32,
    objects: u32,
    frames: u32,
    /// Depth of each stack node; its length is the number of nodes.
    depths: Vec<u16>,
    clock: Clock,
    coverage: Coverage,
    ended: bool,
}

impl Checker {
    /// A checker that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a Header was seen.
    pub(in crate::recording) fn begun(&self) -> bool {
        self.shape.is_some()
    }

    /// What accounts count, in the order in which they have it; `None` before
    /// the Header.
    pub(in crate::recording) fn events(&self) -> Option<&[Event]> {
        self.shape.as_ref().map(|shape| &*shape.events)
    }

    /// What samples count, in the order in which they have it.
    pub(in crate::recording) fn counters(&self) -> &[Counter] {
        self.shape.as_ref().map_or(&[], |shape| &*shape.counters)
    }

    /// The intervals that are missing, if any are.
    pub(in crate::recording) fn missing(&self) -> Option<Missing> {
        self.coverage.missing()
    }

    /// Whether an End was seen.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Checks one record and takes note of it.
    ///
    /// # Errors
    ///
    /// The rule that the record breaks, as the second half of a sentence; the
    /// checker is then as it was before.
    pub fn check(&mut self, record: &Record) -> Result<(), String> {
        self.place(record)?;
        match record {
            Record::Header(header) => self.shape = Some(header::header(header)?),
            Record::Task(task) => {
                self.task(task)?;
                self.tasks = more(self.tasks)?;
            }
            Record::Renamed { task, at, comm } => {
                known(task.0, self.tasks, "task")?;
                time(*at)?;
                self::comm(comm)?;
            }
            Record::Gone { task, at } => {
                known(task.0, self.tasks, "task")?;
                time(*at)?;
            }
            Record::Object(object) => {
                self::object(object)?;
                self.objects = more(self.objects)?;
            }
            Record::Frame(frame) => {
                self.frame(frame)?;
                self.frames = more(self.frames)?;
            }
            Record::Stack(node) => {
                let depth = self.depth(node)?;
                self.depths.push(depth);
            }
            Record::Interval(interval) => {
                let defined = Defined::new(self.shape.as_ref(), self.tasks, self.stacks())?;
                self.clock.interval(interval, &defined)?;
                self.coverage.interval(interval);
            }
            Record::Symbol(symbol) => self.symbol(symbol)?,
            Record::Lines(lines) => self.lines(lines)?,
            Record::Segments { object, segments } => {
                known(object.0, self.objects, "object")?;
                if segments.len() > MAX_SEGMENTS {
                    return Err(format!("has an object of {} segments", segments.len()));
                }
            }
            Record::Labels { labels } => {
                if labels.len() > MAX_LABELS {
                    return Err(format!("has {} labels", labels.len()));
                }
                labels.iter().try_for_each(|(name, value)| {
                    string(name)?;
                    string(value)
                })?;
            }
            Record::End(end) => {
                end::end(end)?;
                self.coverage.end(end.extent)?;
                self.ended = true;
            }
        }
        Ok(())
    }

    /// Checks a CPU's account by itself.
    pub(in crate::recording) fn cpu(&self, account: &CpuAccount) -> Result<(), Broken> {
        self.defined()?.cpu(account)
    }

    /// Checks a thread's account.
    pub(in crate::recording) fn thread(&self, account: &ThreadAccount) -> Result<(), Broken> {
        self.defined()?.thread(account)
    }

    /// Checks a sample.
    pub(in crate::recording) fn sample(&self, sample: &SampleCount) -> Result<(), Broken> {
        self.defined()?.sample(sample)
    }

    /// What an interval may refer to.
    fn defined(&self) -> Result<Defined<'_>, Broken> {
        Defined::new(self.shape.as_ref(), self.tasks, self.stacks())
    }

    /// Refuses a record that may not be where it is.
    fn place(&self, record: &Record) -> Result<(), Broken> {
        let first = matches!(record, Record::Header(_));
        match &self.shape {
            _ if self.ended => Err("has a record after its end".into()),
            None if !first => Err(NO_HEADER.into()),
            Some(_) if first => Err("has a second header".into()),
            _ => Ok(()),
        }
    }

    fn task(&self, task: &Task) -> Result<(), Broken> {
        next(task.id.0, self.tasks, "task")?;
        if let Some(parent) = task.parent {
            known(parent.0, self.tasks, "task")?;
        }
        time(task.start)?;
        time(task.began)?;
        if task.began < task.start {
            return Err(format!(
                "has a task {} that began before its start",
                task.id.0
            ));
        }
        comm(&task.comm)
    }

    fn frame(&self, frame: &Frame) -> Result<(), Broken> {
        match frame {
            Frame::User { object, .. } => known(object.0, self.objects, "object"),
            Frame::Generated { process, .. } => known(process.0, self.tasks, "task"),
            Frame::Kernel { .. } | Frame::Unmapped(_) | Frame::Broken(_) => Ok(()),
        }
    }

    fn symbol(&self, symbol: &Symbol) -> Result<(), Broken> {
        known(symbol.frame.0, self.frames, "frame")?;
        if !(1..=MAX_INLINED).contains(&symbol.functions.len()) {
            let n = symbol.functions.len();
            return Err(format!("has a symbol of {n} functions"));
        }
        symbol.functions.iter().try_for_each(|name| string(name))
    }

    fn lines(&self, of: &Lines) -> Result<(), Broken> {
        known(of.frame.0, self.frames, "frame")?;
        if of.lines.len() > MAX_INLINED {
            return Err(format!("has {} source lines of a frame", of.lines.len()));
        }
        let mut lines = of.lines.iter().flatten();
        lines.try_for_each(|line| string(&line.file))
    }

    /// How many stacks are defined.
    fn stacks(&self) -> u32 {
        u32::try_from(self.depths.len()).unwrap_or(u32::MAX)
    }

    /// The depth of a stack node, checked.
    fn depth(&self, node: &StackNode) -> Result<u16, Broken> {
        known(node.frame.0, self.frames, "frame")?;
        more(self.stacks())?;
        let Some(parent) = node.parent else {
            return Ok(1);
        };
        known(parent.0, self.stacks(), "stack")?;
        match self.depths.get(parent.0 as usize) {
            Some(&depth) if depth < MAX_DEPTH => Ok(depth + 1),
            _ => Err(format!("has a stack of more than {MAX_DEPTH} frames")),
        }
    }
}

fn object(object: &Object) -> Result<(), Broken> {
    string(&object.path)?;
    let id = object.build_id.as_deref().unwrap_or_default();
    if id.len() > MAX_BUILD_ID {
        return Err(format!("has a build id of {} bytes", id.len()));
    }
    Ok(())
}
