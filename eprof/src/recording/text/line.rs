//! What a line says.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::measurement::{
    CpuAccount, Frame, Lines, Object, ObjectId, Reading, Segment, StackNode, Symbol, Task, TaskId,
    ThreadAccount,
};
use crate::recording::merged_head::Labels;
use crate::recording::record::{End, Header, IntervalRecord, Record, SampleCount};
use crate::unit::Timestamp;

/// The first line of a recording.
pub(super) const ONE: &str = "eprof-recording/2";

/// The first line of a file of several recordings.
pub(super) const SEVERAL: &str = "eprof-merged/2";

/// Longest line, in bytes. A byte of a string has at most six in JSON, and a
/// record at most [`MAX_RECORD`](crate::recording::format::MAX_RECORD).
pub(super) const MAX_LINE: usize = 48 << 20;

/// A line. An interval is spread over several, so that none is long.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line<'a> {
    /// First.
    Schema(Cow<'a, str>),
    /// The labels of the next recording of a merged file.
    Member(Cow<'a, Labels>),
    Header(Cow<'a, Header>),
    Task(Cow<'a, Task>),
    Renamed {
        task: TaskId,
        at: Timestamp,
        comm: Cow<'a, str>,
    },
    Gone {
        task: TaskId,
        at: Timestamp,
    },
    Object(Cow<'a, Object>),
    Frame(Frame),
    Stack(StackNode),
    /// An interval but for its accounts and samples, which follow.
    Interval {
        begin: Timestamp,
        end: Timestamp,
        readings: Cow<'a, [Reading]>,
    },
    Cpu(Cow<'a, CpuAccount>),
    Thread(ThreadAccount),
    Sample(SampleCount),
    Symbol(Cow<'a, Symbol>),
    Lines(Cow<'a, Lines>),
    Segments {
        object: ObjectId,
        segments: Cow<'a, [Segment]>,
    },
    Labels(Cow<'a, Labels>),
    End(Cow<'a, End>),
}

/// What a line means for the recording.
#[derive(Debug)]
pub(super) enum Meaning {
    Schema(String),
    Member(Labels),
    /// A record that is whole.
    Whole(Record),
    /// The first line of an interval.
    Interval(IntervalRecord),
    /// A part of the interval before it.
    Part(Part),
}

/// A part of an interval.
#[derive(Debug)]
pub(super) enum Part {
    Cpu(Box<CpuAccount>),
    Thread(ThreadAccount),
    Sample(SampleCount),
}

impl<'a> Line<'a> {
    /// The line of a record; of an interval, its first.
    pub(super) fn of(record: &'a Record) -> Self {
        match record {
            Record::Header(header) => Self::Header(Cow::Borrowed(header)),
            Record::Task(task) => Self::Task(Cow::Borrowed(task)),
            Record::Renamed { task, at, comm } => Self::Renamed {
                task: *task,
                at: *at,
                comm: Cow::Borrowed(comm),
            },
            &Record::Gone { task, at } => Self::Gone { task, at },
            Record::Object(object) => Self::Object(Cow::Borrowed(object)),
            Record::Frame(frame) => Self::Frame(*frame),
            Record::Stack(node) => Self::Stack(*node),
            Record::Interval(interval) => {
                // The rest is in lines of its own.
                let IntervalRecord {
                    begin,
                    end,
                    readings,
                    cpus: _,
                    threads: _,
                    samples: _,
                } = interval;
                Self::Interval {
                    begin: *begin,
                    end: *end,
                    readings: Cow::Borrowed(readings),
                }
            }
            Record::Symbol(symbol) => Self::Symbol(Cow::Borrowed(symbol)),
            Record::End(end) => Self::End(Cow::Borrowed(end)),
            Record::Lines(lines) => Self::Lines(Cow::Borrowed(lines)),
            Record::Segments { object, segments } => Self::Segments {
                object: *object,
                segments: Cow::Borrowed(segments),
            },
            Record::Labels { labels } => Self::Labels(Cow::Borrowed(labels)),
        }
    }

    /// What it means.
    pub(super) fn meaning(self) -> Meaning {
        Meaning::Whole(match self {
            Self::Schema(schema) => return Meaning::Schema(schema.into_owned()),
            Self::Member(labels) => return Meaning::Member(labels.into_owned()),
            Self::Interval {
                begin,
                end,
                readings,
            } => {
                return Meaning::Interval(IntervalRecord {
                    begin,
                    end,
                    readings: readings.into_owned(),
                    ..IntervalRecord::default()
                });
            }
            Self::Cpu(account) => return Meaning::Part(Part::Cpu(Box::new(account.into_owned()))),
            Self::Thread(account) => return Meaning::Part(Part::Thread(account)),
            Self::Sample(sample) => return Meaning::Part(Part::Sample(sample)),
            Self::Header(header) => Record::Header(Box::new(header.into_owned())),
            Self::Task(task) => Record::Task(task.into_owned()),
            Self::Renamed { task, at, comm } => Record::Renamed {
                task,
                at,
                comm: comm.into_owned(),
            },
            Self::Gone { task, at } => Record::Gone { task, at },
            Self::Object(object) => Record::Object(object.into_owned()),
            Self::Frame(frame) => Record::Frame(frame),
            Self::Stack(node) => Record::Stack(node),
            Self::Symbol(symbol) => Record::Symbol(symbol.into_owned()),
            Self::Lines(lines) => Record::Lines(lines.into_owned()),
            Self::Segments { object, segments } => Record::Segments {
                object,
                segments: segments.into_owned(),
            },
            Self::Labels(labels) => Record::Labels {
                labels: labels.into_owned(),
            },
            Self::End(end) => Record::End(Box::new(end.into_owned())),
        })
    }
}
