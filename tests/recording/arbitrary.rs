//! Arbitrary recordings that keep the rules.

use eprof::measurement::{
    Counter, CpuAccount, CpuGroupId, EventUnit, Frame, FrameId, Line, Lines, MeterId, Object,
    ObjectId, Reading, Segment, Signals, StackEnd, StackId, StackNode, Symbol, Task, TaskId,
    ThreadAccount, UpdateTime,
};
use eprof::recording::{End, Extent, IntervalRecord, Record, SampleCount};
use eprof::unit::{Nanos, Timestamp};
use proptest::prelude::*;

use super::sample;

/// Decisions, drawn from a list of arbitrary numbers; zero when it is used
/// up. (So that a failing case shrinks by shortening the list.)
pub(crate) struct Dice(std::vec::IntoIter<u64>);

impl Dice {
    pub(crate) fn new(numbers: Vec<u64>) -> Self {
        Self(numbers.into_iter())
    }

    pub(crate) fn any(&mut self) -> u64 {
        self.0.next().unwrap_or(0)
    }

    /// A number below `limit`, which must not be zero.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        (self.any() % u64::from(limit)) as u32
    }

    /// A number of any magnitude, up to the largest time.
    fn magnitude(&mut self) -> u64 {
        let number = self.any();
        let bits = self.below(61);
        number % (1 << bits).max(1)
    }

    fn text(&mut self) -> String {
        let texts = [
            "",
            "a",
            "a;b\n",
            "größe",
            "\u{0}\u{1b}[31m",
            "🦀",
            "std::vec::Vec<T>",
        ];
        let text = texts[self.below(texts.len() as u32) as usize];
        text.repeat(1 + self.below(3) as usize)
    }

    fn option<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 1).then(|| some(self))
    }

    fn list<T>(&mut self, most: u32, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| item(self)).collect()
    }

    fn done(&self) -> bool {
        self.0.as_slice().is_empty()
    }
}

/// What is defined so far.
#[derive(Default)]
struct Defined {
    tasks: u32,
    objects: u32,
    frames: u32,
    stacks: u32,
    now: u64,
}

/// Records that keep the rules; every kind occurs, in any order allowed.
pub(crate) fn records() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(any::<u64>(), 0..600).prop_map(|numbers| build(&mut Dice::new(numbers)))
}

fn build(dice: &mut Dice) -> Vec<Record> {
    let mut header = sample::header();
    header.command.argv = dice.list(4, Dice::text);
    header.meters.truncate(1 + dice.below(5) as usize);
    header.started = Timestamp(dice.magnitude());
    let mut defined = Defined {
        now: dice.magnitude() / 2,
        ..Defined::default()
    };
    let meters = header.meters.len() as u32;
    let mut records = vec![Record::Header(Box::new(header))];
    while !dice.done() {
        if let Some(record) = one(dice, &mut defined, meters) {
            records.push(record);
        }
    }
    if dice.below(2) == 0 {
        let mut extent = Extent::default();
        for record in &records {
            if let Record::Interval(interval) = record {
                extent.add(interval.begin, interval.end);
            }
        }
        records.push(Record::End(Box::new(End {
            extent,
            exit_code: dice.any() as i32,
            signal: dice.option(|dice| dice.any() as i32),
            ..sample::end()
        })));
    }
    records
}

/// A record, if what it needs is defined.
fn one(dice: &mut Dice, defined: &mut Defined, meters: u32) -> Option<Record> {
    let Defined {
        tasks,
        objects,
        frames,
        stacks,
        ..
    } = *defined;
    let some = |n: u32| (n > 0).then_some(n);
    Some(match dice.below(12) {
        0 => {
            defined.tasks += 1;
            let start = dice.magnitude() / 2;
            Record::Task(Task {
                id: TaskId(tasks),
                tid: dice.any() as u32,
                pid: dice.any() as u32,
                start: Timestamp(start),
                began: Timestamp(start + dice.magnitude() / 2),
                generation: dice.below(9),
                parent: (tasks > 0).then(|| TaskId(dice.below(tasks))),
                comm: dice.text(),
            })
        }
        1 => Record::Renamed {
            task: TaskId(dice.below(some(tasks)?)),
            at: Timestamp(dice.magnitude()),
            comm: dice.text(),
        },
        2 => Record::Gone {
            task: TaskId(dice.below(some(tasks)?)),
            at: Timestamp(dice.magnitude()),
        },
        3 => {
            defined.objects += 1;
            Record::Object(Object {
                path: dice.text(),
                build_id: dice.option(|dice| dice.list(20, |dice| dice.any() as u8)),
            })
        }
        4 => {
            let frame = frame(dice, tasks, objects);
            defined.frames += 1;
            Record::Frame(frame)
        }
        5 => {
            let frame = FrameId(dice.below(some(frames)?));
            defined.stacks += 1;
            let parent = (stacks > 0 && dice.below(4) > 0).then(|| StackId(dice.below(stacks)));
            Record::Stack(StackNode { parent, frame })
        }
        6 => Record::Symbol(Symbol {
            frame: FrameId(dice.below(some(frames)?)),
            functions: (0..=dice.below(3)).map(|_| dice.text()).collect(),
        }),
        7 => Record::Lines(Lines {
            frame: FrameId(dice.below(some(frames)?)),
            lines: dice.list(3, |dice| {
                dice.option(|dice| Line {
                    file: dice.text(),
                    number: dice.any() as u32,
                })
            }),
        }),
        8 => Record::Segments {
            object: ObjectId(dice.below(some(objects)?)),
            segments: dice.list(3, |dice| Segment {
                offset: dice.any(),
                length: dice.any(),
                address: dice.any(),
            }),
        },
        9 => Record::Labels {
            labels: dice
                .list(3, |dice| (dice.text(), dice.text()))
                .into_iter()
                .collect(),
        },
        _ => Record::Interval(interval(dice, defined, meters)),
    })
}

pub(crate) fn frame(dice: &mut Dice, tasks: u32, objects: u32) -> Frame {
    match dice.below(5) {
        3 if tasks > 0 => Frame::Generated {
            process: TaskId(dice.below(tasks)),
            address: dice.any(),
            returns: dice.below(2) == 1,
        },
        0 if objects > 0 => Frame::User {
            object: ObjectId(dice.below(objects)),
            offset: dice.any(),
            returns: dice.below(2) == 1,
        },
        1 => Frame::Kernel {
            address: dice.any(),
            returns: dice.below(2) == 1,
        },
        2 => Frame::Broken(
            [
                StackEnd::Complete,
                StackEnd::Truncated,
                StackEnd::Absent,
                StackEnd::Failed,
            ][dice.below(4) as usize],
        ),
        _ => Frame::Unmapped(dice.any()),
    }
}

fn signals(dice: &mut Dice) -> Signals {
    let mut signals = Signals::of_time(Nanos(dice.magnitude()));
    for event in sample::events() {
        signals[event] = match event.unit() {
            EventUnit::Nanoseconds => dice.magnitude(),
            EventUnit::Count => dice.any(),
        };
    }
    signals
}

fn interval(dice: &mut Dice, defined: &mut Defined, meters: u32) -> IntervalRecord {
    let begin = defined.now;
    defined.now += u64::from(dice.below(1_000_000_000));
    let end = defined.now;
    let &mut Defined { tasks, stacks, .. } = defined;
    let readings = (0..meters).filter_map(|meter| {
        dice.option(|dice| Reading {
            meter: MeterId(meter as u16),
            raw: dice.any(),
            begin: Timestamp(end),
            end: Timestamp(end),
            updated: dice.option(|dice| UpdateTime {
                at: Timestamp(dice.magnitude()),
                sd: Nanos(dice.magnitude()),
            }),
        })
    });
    let readings = readings.collect();
    let cpus = [0, 1, 300].into_iter().filter_map(|cpu| {
        dice.option(|dice| CpuAccount {
            cpu,
            kernel: signals(dice),
            other: signals(dice),
            eprof: signals(dice),
            target: signals(dice),
        })
    });
    let cpus = cpus.collect();
    let threads = |dice: &mut Dice| ThreadAccount {
        task: TaskId(dice.below(tasks)),
        group: CpuGroupId(dice.below(2) as u16),
        signals: signals(dice),
    };
    let header = sample::header();
    let samples = |dice: &mut Dice| SampleCount {
        task: TaskId(dice.below(tasks)),
        group: CpuGroupId(dice.below(2) as u16),
        stack: StackId(dice.below(stacks)),
        count: 1 + dice.below(u32::MAX),
        spent: Nanos(dice.magnitude()),
        counts: Counter::ALL.map(|counter| match header.counts(counter) {
            true => dice.any(),
            false => 0,
        }),
    };
    IntervalRecord {
        begin: Timestamp(begin),
        end: Timestamp(end),
        readings,
        cpus,
        threads: if tasks > 0 {
            dice.list(5, threads)
        } else {
            Vec::new()
        },
        samples: if tasks > 0 && stacks > 0 {
            dice.list(5, samples)
        } else {
            Vec::new()
        },
    }
}
