//! A recording of any number of stacks.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use eprof::measurement::{
    Baseline, CpuAccount, CpuGroup, CpuGroupId, Domain, Frame, FrameId, Meter, MeterId, Object,
    ObjectId, Provenance, Quantity, Reading, Scope, Signals, SourceKind, StackId, StackNode,
    Symbol, Task, TaskId, ThreadAccount,
};
use eprof::recording::{End, Extent, Header, IntervalRecord, Record, SampleCount, Writer};
use eprof::unit::{Nanos, Timestamp, Watts};

const INTERVAL: u64 = 50_000_000;
const DEPTH: u32 = 24;

/// Writes a recording of one thread with `stacks` stacks, each sampled once in
/// each of `intervals` intervals, at 10 W.
pub(crate) fn write(path: &Path, intervals: u64, stacks: u32) {
    let mut writer = Writer::new(BufWriter::new(File::create(path).unwrap())).unwrap();
    let mut push = |record: Record| writer.push(&record).unwrap();
    push(Record::Header(Box::new(header())));
    push(Record::Interval(interval(0, 0)));
    push(Record::Task(Task {
        id: TaskId(0),
        tid: 10,
        pid: 10,
        start: Timestamp(0),
        began: Timestamp(0),
        generation: 1,
        parent: None,
        comm: "large".into(),
    }));
    push(Record::Object(Object {
        path: "/usr/bin/large".into(),
        build_id: None,
    }));
    // Each stack ends in a function of its own.
    for function in 0..DEPTH + stacks {
        push(Record::Frame(Frame::User {
            object: ObjectId(0),
            offset: u64::from(function),
            returns: true,
        }));
        push(Record::Symbol(Symbol {
            frame: FrameId(function),
            functions: vec![format!("large::a_module::a_function_{function}")],
        }));
    }
    for depth in 0..DEPTH {
        push(Record::Stack(StackNode {
            parent: depth.checked_sub(1).map(StackId),
            frame: FrameId(depth),
        }));
    }
    for stack in 0..stacks {
        push(Record::Stack(StackNode {
            parent: Some(StackId(DEPTH - 1)),
            frame: FrameId(DEPTH + stack),
        }));
    }
    for number in 0..intervals {
        let mut record = interval(number * INTERVAL, (number + 1) * INTERVAL);
        let busy = Signals::of_time(Nanos(INTERVAL));
        record.cpus.push(CpuAccount {
            cpu: 0,
            kernel: Signals::default(),
            other: Signals::default(),
            eprof: Signals::default(),
            target: busy,
        });
        record.threads.push(ThreadAccount {
            task: TaskId(0),
            group: CpuGroupId(0),
            signals: busy,
        });
        record.samples = (0..stacks)
            .map(|stack| SampleCount {
                task: TaskId(0),
                group: CpuGroupId(0),
                stack: StackId(DEPTH + stack),
                count: 1,
                spent: Nanos(INTERVAL / u64::from(stacks)),
                counts: [0; 4],
            })
            .collect();
        push(Record::Interval(record));
    }
    push(Record::End(Box::new(End {
        ended: Timestamp(intervals * INTERVAL),
        extent: Extent {
            intervals: intervals + 1,
            begin: Timestamp(0),
            end: Timestamp(intervals * INTERVAL),
        },
        ..End::default()
    })));
    writer.finish().unwrap();
}

fn interval(begin: u64, end: u64) -> IntervalRecord {
    IntervalRecord {
        begin: Timestamp(begin),
        end: Timestamp(end),
        readings: vec![Reading {
            meter: MeterId(0),
            // 10 W: 10 nJ per nanosecond.
            raw: end / 100,
            begin: Timestamp(end),
            end: Timestamp(end),
            updated: None,
        }],
        ..IntervalRecord::default()
    }
}

fn header() -> Header {
    Header {
        eprof: env!("CARGO_PKG_VERSION").into(),
        host: "node".into(),
        frequency_hz: 997,
        interval: Nanos(INTERVAL),
        follow: "cgroup".into(),
        meters: vec![Meter {
            id: MeterId(0),
            kind: SourceKind::Powercap,
            name: "intel-rapl:0".into(),
            domain: Domain::Package,
            scope: Scope::Package(0),
            cpus: vec![0],
            quantity: Quantity::Counter {
                unit_uj: 1.0,
                modulus: None,
            },
            provenance: Provenance::Measured,
            nested: false,
            update_period: Nanos(1_000_000),
            plausible: Watts(1000.0),
        }],
        cpu_groups: vec![CpuGroup {
            id: CpuGroupId(0),
            cpus: vec![0],
            core: String::new(),
        }],
        baselines: vec![Baseline {
            meter: MeterId(0),
            power: Watts(2.0),
            sd: Watts(0.1),
            origin: "option".into(),
        }],
        ..Header::default()
    }
}
