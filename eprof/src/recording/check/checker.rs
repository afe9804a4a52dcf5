//! The rules of a recording: what makes a sequence of records one.
//!
//! The writer and the reader apply the same rules, so that nothing is written
//! that could not be read, and nothing downstream has to doubt an id.

use crate::unit::{Nanos, Timestamp};

use super::{end as check_end, header as check_header, interval as check_interval};
use crate::measurement::{Frame, StackNode};
use crate::recording::record::Record;

/// Longest string in bytes. An argument has at most 128 KiB
/// (`MAX_ARG_STRLEN`, `include/uapi/linux/binfmts.h`), and at most three times
/// that after invalid UTF-8 was replaced.
pub const MAX_STRING: usize = 1 << 20;

/// Longest build id in bytes. The usual one has 20; the linker takes any.
pub const MAX_BUILD_ID: usize = 256;

/// Most frames of one stack.
pub const MAX_DEPTH: u16 = 4096;

/// Most functions that one frame may stand for (itself and the inlined).
pub const MAX_INLINED: usize = 1024;

/// Most code segments of one object.
pub const MAX_SEGMENTS: usize = 1024;

/// Most labels of one recording.
pub const MAX_LABELS: usize = 64;

/// Largest time and length of time: 36 years of uptime in nanoseconds. Sums
/// of many stay exact.
pub const MAX_TIME: u64 = 1 << 60;

/// Largest logical CPU number plus one; the kernel's own limit is 8192
/// (`NR_CPUS` in `arch/x86/Kconfig`).
pub const MAX_CPUS: u32 = 1 << 16;

/// A broken rule, as the second half of a sentence that begins with the place.
pub(super) type Broken = String;

/// Checks records in the order in which they appear.
#[derive(Debug, Default)]
pub struct Checker {
    pub(super) shape: Option<check_header::Shape>,
    pub(super) tasks: u32,
    objects: u32,
    frames: u32,
    /// Depth of each stack node; its length is the number of nodes.
    depths: Vec<u16>,
    pub(super) clock: check_interval::Clock,
    ended: bool,
}

impl Checker {
    /// A checker that has seen nothing.
    pub fn new() -> Self {
        Self::default()
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
        if self.ended {
            return Err("has a record after its end".into());
        }
        if self.shape.is_none() && !matches!(record, Record::Header(_)) {
            return Err("does not begin with a header".into());
        }
        match record {
            Record::Header(header) => {
                if self.shape.is_some() {
                    return Err("has a second header".into());
                }
                self.shape = Some(check_header::header(header)?);
            }
            Record::Task(task) => {
                next(task.id.0, self.tasks, "task")?;
                if let Some(parent) = task.parent {
                    known(parent.0, self.tasks, "task")?;
                }
                time(task.start)?;
                time(task.began)?;
                if task.began < task.start {
                    return Err(format!("has a task {} born before its start", task.id.0));
                }
                string(&task.comm)?;
                self.tasks = more(self.tasks)?;
            }
            Record::Renamed { task, at, comm } => {
                known(task.0, self.tasks, "task")?;
                time(*at)?;
                string(comm)?;
            }
            Record::Gone { task, at } => {
                known(task.0, self.tasks, "task")?;
                time(*at)?;
            }
            Record::Object(object) => {
                string(&object.path)?;
                let id = object.build_id.as_deref().unwrap_or_default();
                if id.len() > MAX_BUILD_ID {
                    return Err(format!("has a build id of {} bytes", id.len()));
                }
                self.objects = more(self.objects)?;
            }
            Record::Frame(frame) => {
                match frame {
                    Frame::User { object, .. } => known(object.0, self.objects, "object")?,
                    Frame::Generated { process, .. } => known(process.0, self.tasks, "task")?,
                    Frame::Kernel { .. } | Frame::Unmapped(_) | Frame::Broken(_) => {}
                }
                self.frames = more(self.frames)?;
            }
            Record::Stack(node) => {
                let depth = self.depth(node)?;
                self.depths.push(depth);
            }
            Record::Interval(interval) => self.interval(interval)?,
            Record::Symbol(symbol) => {
                known(symbol.frame.0, self.frames, "frame")?;
                if !(1..=MAX_INLINED).contains(&symbol.functions.len()) {
                    let n = symbol.functions.len();
                    return Err(format!("has a symbol of {n} functions"));
                }
                symbol.functions.iter().try_for_each(|name| string(name))?;
            }
            Record::Lines(of) => {
                known(of.frame.0, self.frames, "frame")?;
                if of.lines.len() > MAX_INLINED {
                    return Err(format!("has {} source lines of a frame", of.lines.len()));
                }
                let mut lines = of.lines.iter().flatten();
                lines.try_for_each(|line| string(&line.file))?;
            }
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
                check_end::end(end)?;
                self.ended = true;
            }
        }
        Ok(())
    }

    /// How many stacks are defined.
    pub(super) fn stacks(&self) -> u32 {
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

/// Refuses an id that is not the next one.
pub(super) fn next(id: u32, next: u32, what: &str) -> Result<(), Broken> {
    if id == next {
        return Ok(());
    }
    Err(format!("has {what} {id} where {what} {next} must be"))
}

/// Refuses an id that is not defined yet.
pub(super) fn known(id: u32, defined: u32, what: &str) -> Result<(), Broken> {
    if id < defined {
        return Ok(());
    }
    Err(format!("uses {what} {id}, which it does not define"))
}

/// Counts one more definition.
fn more(count: u32) -> Result<u32, Broken> {
    count
        .checked_add(1)
        .ok_or_else(|| "defines too much".to_owned())
}

/// Refuses a string that is too long.
pub(super) fn string(text: &str) -> Result<(), Broken> {
    if text.len() <= MAX_STRING {
        return Ok(());
    }
    Err(format!("has a string of {} bytes", text.len()))
}

/// Refuses a time that no clock shows.
pub(super) fn time(at: Timestamp) -> Result<(), Broken> {
    length(Nanos(at.0))
}

/// Refuses a length of time that nobody lived.
pub(super) fn length(time: Nanos) -> Result<(), Broken> {
    if time.0 <= MAX_TIME {
        return Ok(());
    }
    Err(format!("has a time of {} ns", time.0))
}

/// Refuses what is not a finite number from zero up.
pub(super) fn amount(value: f64, what: &str) -> Result<(), Broken> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(format!("has {what} of {value}"))
}
