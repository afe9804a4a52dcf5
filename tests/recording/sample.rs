//! A recording in which every kind of record and every alternative occurs.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use eprof::caveat::Caveat;
use eprof::measurement::{
    Baseline, Counter, CpuAccount, CpuGroup, CpuGroupId, Domain, Event, Frame, FrameId, Line,
    Lines, Loss, Meter, MeterId, Object, ObjectId, Provenance, Quantity, Reading, Scope, Segment,
    Signals, SourceKind, StackEnd, StackId, StackNode, Symbol, Task, TaskId, ThreadAccount,
    UpdateTime,
};
use eprof::power::{PowerModel, Shape, Signal, Term};
use eprof::recording::{
    Command, End, Extent, Footprint, Header, IntervalRecord, Record, SampleCount, Writer,
};
use eprof::unit::{Nanos, Timestamp, Watts};

/// 1 s after boot.
pub(crate) const START: u64 = 1_000_000_000;

fn meter(id: u16, kind: SourceKind, domain: Domain, scope: Scope, quantity: Quantity) -> Meter {
    Meter {
        id: MeterId(id),
        kind,
        name: format!("meter {id} µ"),
        domain,
        scope,
        cpus: vec![0, 1, 300],
        quantity,
        provenance: match kind {
            SourceKind::Model => Provenance::Estimated,
            SourceKind::Battery => Provenance::Attributed,
            _ => Provenance::Measured,
        },
        nested: domain == Domain::Core,
        update_period: Nanos(1_000_000),
        plausible: if id == 0 {
            Watts(f64::INFINITY)
        } else {
            Watts(500.0)
        },
    }
}

/// What the accounts count: not all that there is.
pub(crate) fn events() -> Vec<Event> {
    Event::with(&[Counter::Cycles, Counter::CacheMisses])
}

pub(crate) fn header() -> Header {
    let counter = |modulus| Quantity::Counter {
        unit_uj: 1e6 / f64::from(1 << 14) / f64::from(1 << 18),
        modulus,
    };
    Header {
        eprof: "0.1.0".into(),
        object: "prebuilt 0123abcd".into(),
        wall_clock_ns: 1_700_000_000_123_456_789,
        started: Timestamp(START),
        host: "host".into(),
        kernel: "6.18.0".into(),
        cpu_model: "A CPU @ 3.00GHz".into(),
        command: Command {
            argv: vec!["make".into(), "-j2".into(), String::new(), "größe".into()],
            directory: "/src".into(),
        },
        frequency_hz: 997,
        interval: Nanos(100_000_000),
        events: events(),
        follow: "cgroup".into(),
        meters: vec![
            meter(
                0,
                SourceKind::Perf,
                Domain::Package,
                Scope::Package(0),
                counter(None),
            ),
            meter(
                1,
                SourceKind::Powercap,
                Domain::Core,
                Scope::Die { package: 0, die: 1 },
                counter(Some(262_143_328_850)),
            ),
            meter(
                2,
                SourceKind::Hwmon,
                Domain::Uncore,
                Scope::Core {
                    package: 0,
                    core: 7,
                },
                Quantity::Power { unit_w: 1e-6 },
            ),
            meter(
                3,
                SourceKind::Battery,
                Domain::Psys,
                Scope::Machine,
                Quantity::Falling { unit_uj: 3.6e3 },
            ),
            meter(
                4,
                SourceKind::Model,
                Domain::Dram,
                Scope::Machine,
                Quantity::Model {
                    idle_w: 0.5,
                    busy_w: 4.25,
                    low: 0.5,
                    high: 2.0,
                },
            ),
        ],
        cpu_groups: vec![
            CpuGroup {
                id: CpuGroupId(0),
                cpus: vec![0, 300],
                core: "cpu_core".into(),
            },
            CpuGroup {
                id: CpuGroupId(1),
                cpus: vec![1],
                core: String::new(),
            },
        ],
        baselines: vec![Baseline {
            meter: MeterId(0),
            power: Watts(3.5),
            sd: Watts(0.125),
            origin: "before-run".into(),
        }],
        models: vec![PowerModel {
            meter: MeterId(0),
            terms: vec![
                Term {
                    signal: Signal::Time("cpu_core".into()),
                    shape: Shape::Linear,
                    weight: 2.5,
                },
                Term {
                    signal: Counter::CacheMisses.into(),
                    shape: Shape::Ramp {
                        from: 1e6,
                        to: Some(5e7),
                    },
                    weight: 1e-4,
                },
            ],
            covariance: vec![0.25, -0.125, -0.125, 1.0],
            residual: 0.0625,
            origin: "calibration".into(),
        }],
        caveats: vec![Caveat::new("vm", "this is a virtual machine").hint("use a real one")],
    }
}

pub(crate) fn task(id: u32, parent: Option<u32>) -> Task {
    Task {
        id: TaskId(id),
        tid: 4000 + id,
        pid: 4000,
        start: Timestamp(START + u64::from(id)),
        began: Timestamp(START + 2 * u64::from(id)),
        generation: id % 2,
        parent: parent.map(TaskId),
        comm: format!("task {id}"),
    }
}

pub(crate) fn readings(at: u64, raw: u64) -> Vec<Reading> {
    (0..5)
        .map(|meter| Reading {
            updated: (meter == 0).then_some(UpdateTime {
                at: Timestamp(at - 400_000),
                sd: Nanos(41_000),
            }),
            meter: MeterId(meter),
            raw: raw + u64::from(meter),
            begin: Timestamp(at),
            end: Timestamp(at + 1500),
        })
        .collect()
}

pub(crate) fn interval(begin: u64, end: u64) -> IntervalRecord {
    IntervalRecord {
        begin: Timestamp(begin),
        end: Timestamp(end),
        readings: readings(end, end / 7),
        ..IntervalRecord::default()
    }
}

pub(crate) fn end() -> End {
    let mut losses = Loss::default();
    losses.count("ring-full", 3);
    losses.count("user-stack-failed", u64::MAX);
    End {
        distrusted: vec![Counter::CacheMisses],
        ended: Timestamp(START + 250_000_000),
        exit_code: 137,
        signal: Some(9),
        losses,
        footprint: Footprint {
            cpu: Nanos(12_345_678),
            peak_rss: 40 << 20,
            programs: vec![
                ("switch".into(), 123_456, Some(151.5)),
                ("fork".into(), 3, None),
            ],
        },
        caveats: vec![Caveat::new("counter-stalled", "meter 1 µ never moved")],
        extent: Extent {
            intervals: 3,
            begin: Timestamp(START),
            end: Timestamp(START + 200_000_000),
        },
    }
}

/// The records, in an order that a real run would give.
pub(crate) fn records() -> Vec<Record> {
    let node = |parent: Option<u32>, frame| {
        Record::Stack(StackNode {
            parent: parent.map(StackId),
            frame: FrameId(frame),
        })
    };
    let sample = |task, group, stack, count| SampleCount {
        task: TaskId(task),
        group: CpuGroupId(group),
        stack: StackId(stack),
        count,
        spent: Nanos(u64::from(count) * 1_003_009),
        counts: [3_000_000, 0, 0, u64::from(count)],
    };
    let signals = |on_cpu| {
        let mut signals = Signals::counted(Nanos(on_cpu), [on_cpu * 3, 0, 0, on_cpu / 7]);
        signals[Event::SmtShared] = on_cpu / 2;
        signals[Event::Switches] = 17;
        signals[Event::Wakeups] = 11;
        signals[Event::Migrations] = 2;
        signals
    };
    let account = |task, group, on_cpu| ThreadAccount {
        task: TaskId(task),
        group: CpuGroupId(group),
        signals: signals(on_cpu),
    };
    let cpu = |cpu, target| CpuAccount {
        cpu,
        kernel: signals(1_000),
        other: signals(2_000_000),
        eprof: signals(300),
        target: signals(target),
    };
    let (first, second) = (START + 100_000_000, START + 200_000_000);
    vec![
        Record::Header(Box::new(header())),
        Record::Interval(interval(START, START)),
        Record::Task(task(0, None)),
        Record::Task(task(1, Some(0))),
        Record::Object(Object {
            path: "/usr/bin/make".into(),
            build_id: Some(vec![0xab; 20]),
        }),
        Record::Object(Object {
            path: "[vdso]".into(),
            build_id: None,
        }),
        Record::Frame(Frame::User {
            object: ObjectId(0),
            offset: 0x1234,
            returns: true,
        }),
        Record::Frame(Frame::User {
            object: ObjectId(1),
            offset: 0,
            returns: false,
        }),
        Record::Frame(Frame::Kernel {
            address: 0xffff_ffff_8123_4567,
            returns: false,
        }),
        node(None, 0),
        node(Some(0), 1),
        node(Some(0), 2),
        Record::Interval(IntervalRecord {
            cpus: vec![cpu(0, 90_000_000), cpu(1, 0), cpu(300, 5_000)],
            threads: vec![account(0, 0, 60_000_000), account(1, 0, 30_005_000)],
            samples: vec![sample(0, 0, 1, 59), sample(0, 0, 2, 1), sample(1, 0, 0, 30)],
            ..interval(START, first)
        }),
        Record::Renamed {
            task: TaskId(1),
            at: Timestamp(first + 5),
            comm: "cc1 🦀".into(),
        },
        Record::Frame(Frame::Unmapped(0xdead_beef)),
        Record::Frame(Frame::Broken(StackEnd::Complete)),
        Record::Frame(Frame::Broken(StackEnd::Truncated)),
        Record::Frame(Frame::Broken(StackEnd::Absent)),
        Record::Frame(Frame::Broken(StackEnd::Failed)),
        node(None, 4),
        node(Some(3), 3),
        Record::Gone {
            task: TaskId(1),
            at: Timestamp(second - 1),
        },
        Record::Interval(IntervalRecord {
            cpus: vec![cpu(0, 0), cpu(1, 1_000_000)],
            threads: vec![account(1, 1, 1_000_000)],
            samples: vec![sample(1, 1, 4, u32::MAX)],
            ..interval(first, second)
        }),
        Record::Symbol(Symbol {
            frame: FrameId(0),
            functions: vec!["main".into(), "a<b>::c".into()],
        }),
        Record::Symbol(Symbol {
            frame: FrameId(2),
            functions: vec!["do_idle".into()],
        }),
        Record::Frame(Frame::Generated {
            process: TaskId(1),
            address: 0x7f00_dead_beef,
            returns: true,
        }),
        Record::Symbol(Symbol {
            frame: FrameId(8),
            functions: vec!["py::f:/a.py".into()],
        }),
        Record::Lines(Lines {
            frame: FrameId(0),
            lines: vec![
                None,
                Some(Line {
                    file: "/src/a.rs".into(),
                    number: 77,
                }),
            ],
        }),
        Record::Segments {
            object: ObjectId(0),
            segments: vec![Segment {
                offset: 0x1000,
                length: 0x2_0000,
                address: 0x40_1000,
            }],
        },
        Record::Labels {
            labels: [("rank".to_owned(), "7".to_owned())].into(),
        },
        Record::End(Box::new(end())),
    ]
}

/// Memory that several can look at, which notes where each write began.
#[derive(Clone, Default)]
pub(crate) struct Shared(Rc<RefCell<(Vec<u8>, Vec<usize>)>>);

impl Shared {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.borrow().0.clone()
    }

    /// Where each write began: the start of the file, then each block.
    pub(crate) fn writes(&self) -> Vec<usize> {
        self.0.borrow().1.clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        let begin = inner.0.len();
        inner.1.push(begin);
        inner.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes records, one block per interval.
pub(crate) fn write(records: &[Record]) -> Shared {
    let out = Shared::default();
    let mut writer = Writer::new(out.clone()).unwrap();
    for record in records {
        writer.push(record).unwrap();
        if matches!(record, Record::Interval(_)) {
            writer.flush().unwrap();
        }
    }
    writer.flush().unwrap();
    out
}
