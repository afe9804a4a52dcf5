//! Recordings with right checksums that are small and want to become large: whatever
//! reads them ends below 256 MiB, with a result or with a sentence.

use std::fs;
use std::path::PathBuf;

use eprof::caveat::Caveat;
use eprof::measurement::{
    CpuGroup, CpuGroupId, Domain, Frame, FrameId, Line, Lines, Meter, MeterId, Object, ObjectId,
    Provenance, Quantity, Scope, Segment, SourceKind, StackId, StackNode, Symbol, Task, TaskId,
};
use eprof::recording::check::{MAX_ARGUMENTS, MAX_CAVEATS};
use eprof::recording::format::{
    BlockHead, MAGIC, MAX_BLOCK, MAX_SAMPLES, MAX_THREADS, Part, VERSION,
};
use eprof::recording::{End, Extent, Header, Record};
use eprof::unit::{Nanos, Timestamp, Watts};

use crate::support::peak::peak;

/// Most memory that any command may take, in KiB.
const MOST: i64 = 256 << 10;

/// A recording while it is forged.
struct Forged {
    file: Vec<u8>,
    crc: u32,
    records: Vec<u8>,
    samples: Vec<u8>,
    intervals: u64,
}

impl Forged {
    /// One of `groups` CPU groups and `meters` meters, which counts nothing.
    fn new(groups: u16, meters: u16) -> Self {
        let mut forged = Self::headless();
        let cpu_groups = (0..groups).map(|id| CpuGroup {
            id: CpuGroupId(id),
            cpus: vec![id.into()],
            core: String::new(),
        });
        forged.add(&Record::Header(Box::new(Header {
            cpu_groups: cpu_groups.collect(),
            meters: (0..meters).map(meter).collect(),
            frequency_hz: 997,
            ..Header::default()
        })));
        forged
    }

    fn headless() -> Self {
        Self {
            file: [&MAGIC[..], &VERSION.to_le_bytes()].concat(),
            crc: 0,
            records: Vec::new(),
            samples: Vec::new(),
            intervals: 0,
        }
    }

    fn add(&mut self, record: &Record) {
        let bytes = postcard::to_stdvec(record).unwrap();
        if self.records.len() + bytes.len() > MAX_BLOCK {
            self.block();
        }
        self.records.extend(bytes);
    }

    fn all(mut self, records: impl Iterator<Item = Record>) -> Self {
        records.for_each(|record| self.add(&record));
        self
    }

    /// An interval of a millisecond: encoded accounts of threads and samples.
    fn interval(&mut self, threads: (u64, &[u8]), samples: (u64, &[u8])) {
        let varint = |number: u64| postcard::to_stdvec(&number).unwrap();
        let begin = self.intervals.saturating_sub(1) * 1_000_000;
        let end = self.intervals * 1_000_000;
        let bytes = [
            &[7][..],
            &varint(begin),
            &varint(end),
            &[0, 0],
            &varint(threads.0),
            threads.1,
            &varint(samples.0),
        ]
        .concat();
        let length = bytes.len().max(samples.1.len());
        if self.records.len().max(self.samples.len()) + length > MAX_BLOCK {
            self.block();
        }
        self.records.extend(bytes);
        self.samples.extend(samples.1);
        self.intervals += 1;
    }

    fn block(&mut self) {
        let pack = |bytes: &[u8]| match bytes {
            [] => Vec::new(),
            _ => zstd::bulk::compress(bytes, 3).unwrap(),
        };
        let (records, samples) = (pack(&self.records), pack(&self.samples));
        let head = BlockHead::encode(
            self.crc,
            Part::new(&records, &self.records),
            Part::new(&samples, &self.samples),
            &[&records[..], &samples].concat(),
        );
        self.crc = BlockHead::decode(&head).crc;
        self.file.extend(head);
        self.file.extend(records);
        self.file.extend(samples);
        self.records.clear();
        self.samples.clear();
    }

    fn end(self) -> Vec<u8> {
        self.end_with(End::default())
    }

    fn end_with(mut self, end: End) -> Vec<u8> {
        let last = Timestamp(self.intervals.saturating_sub(1) * 1_000_000);
        let extent = Extent {
            intervals: self.intervals,
            begin: Timestamp(0),
            end: last,
        };
        self.add(&Record::End(Box::new(End { extent, ..end })));
        self.block();
        self.file
    }
}

fn meter(id: u16) -> Meter {
    Meter {
        id: MeterId(id),
        kind: SourceKind::Powercap,
        name: format!("meter {id}"),
        domain: Domain::Package,
        scope: Scope::Package(id.into()),
        cpus: vec![id.into()],
        quantity: Quantity::Counter {
            unit_uj: 1.0,
            modulus: None,
        },
        provenance: Provenance::Measured,
        nested: false,
        update_period: Nanos(1_000_000),
        plausible: Watts(500.0),
    }
}

fn task(id: u32, comm: String) -> Record {
    Record::Task(Task {
        id: TaskId(id),
        tid: id + 1,
        pid: id + 1,
        start: Timestamp(0),
        began: Timestamp(0),
        generation: 0,
        parent: id.checked_sub(1).map(TaskId),
        comm,
    })
}

fn tasks(number: u32) -> impl Iterator<Item = Record> {
    (0..number).map(|id| task(id, format!("{id:064}")))
}

fn object(path: String) -> Record {
    Record::Object(Object {
        path,
        build_id: None,
    })
}

fn frame(offset: u64) -> Record {
    Record::Frame(Frame::User {
        object: ObjectId(0),
        offset,
        returns: true,
    })
}

fn node(parent: Option<u32>, frame: u32) -> Record {
    Record::Stack(StackNode {
        parent: parent.map(StackId),
        frame: FrameId(frame),
    })
}

fn symbol(frame: u32, functions: Vec<String>) -> Record {
    Record::Symbol(Symbol {
        frame: FrameId(frame),
        functions,
    })
}

fn varint(number: u64) -> Vec<u8> {
    postcard::to_stdvec(&number).unwrap()
}

/// Samples that are all alike but for their stacks, of `stacks` in turn.
fn samples(number: u64, stacks: u64) -> Vec<u8> {
    let mut bytes = [&[0, 0][..], &varint(number)].concat();
    for sample in 0..number {
        let (stack, before) = (sample % stacks, sample.saturating_sub(1) % stacks);
        bytes.extend(varint((stack as u32).wrapping_sub(before as u32).into()));
    }
    // Each once, for a microsecond.
    bytes.extend([0, 1, 0, 0xe8, 0x07]);
    bytes
}

/// Accounts of threads: a nanosecond each, of so many tasks and CPU groups in turn.
fn threads(number: u64, tasks: u64, groups: u64) -> Vec<u8> {
    let one = |at: u64| [varint(at % tasks), varint(at / tasks % groups), vec![1]].concat();
    (0..number).flat_map(one).collect()
}

/// What they are called, and how each is made.
type Bomb = (&'static str, fn() -> Vec<u8>);

const BOMBS: &[Bomb] = &[
    ("long names of tasks", || {
        let long = (0..2000).map(|id| task(id, "x".repeat(1 << 20)));
        Forged::new(1, 1).all(long).end()
    }),
    ("tasks", || Forged::new(1, 1).all(tasks(2_000_000)).end()),
    ("as many tasks as fit", || {
        Forged::new(1, 1).all(tasks(TASKS)).end()
    }),
    ("as many tasks as fit, with accounts", || {
        let mut forged = Forged::new(1, 1).all(tasks(TASKS));
        let each = threads(TASKS.into(), TASKS.into(), 1);
        for _ in 0..4 {
            forged.interval((TASKS.into(), &each), (0, &[]));
        }
        forged.end()
    }),
    ("new names", || {
        let mut forged = Forged::new(1, 1).all(tasks(1));
        let renamed = (0..800_000).map(|at| Record::Renamed {
            task: TaskId(0),
            at: Timestamp(at),
            comm: "y".repeat(16),
        });
        forged = forged.all(renamed);
        forged.end()
    }),
    ("long paths", || {
        let long = (0..62).map(|_| object("/".repeat(1 << 20)));
        Forged::new(1, 1).all(long).end()
    }),
    ("objects", || {
        let many = (0..400_000).map(|n| object(format!("/{n}")));
        Forged::new(1, 1).all(many).end()
    }),
    ("frames", || {
        let first = std::iter::once(object("/a".to_owned()));
        Forged::new(1, 1)
            .all(first.chain((0..5_000_000).map(frame)))
            .end()
    }),
    ("stacks", || {
        let first = [object("/a".to_owned()), frame(0)];
        let nodes = (0..4_000_000).map(|n: u32| node((n % 4096).checked_sub(1).map(|_| n - 1), 0));
        Forged::new(1, 1).all(first.into_iter().chain(nodes)).end()
    }),
    ("deep stacks, sampled", || {
        let first = [object("/a".to_owned())]
            .into_iter()
            .chain((0..STACKS.into()).map(frame));
        let nodes = (0..STACKS).map(|n: u32| node((n % 4096).checked_sub(1).map(|_| n - 1), n));
        let mut forged = Forged::new(1, 1).all(tasks(1)).all(first.chain(nodes));
        let own = threads(1, 1, 1);
        let each = samples(STACKS.into(), STACKS.into());
        for _ in 0..3 {
            forged.interval((1, &own), (STACKS.into(), &each));
        }
        forged.end()
    }),
    ("names of functions", || {
        let first = [object("/a".to_owned())]
            .into_iter()
            .chain((0..200_000).map(frame));
        let names = (0..200_000).map(|n| symbol(n, vec![format!("{n:0200}")]));
        Forged::new(1, 1).all(first.chain(names)).end()
    }),
    ("empty names of functions", || {
        let first = [object("/a".to_owned())]
            .into_iter()
            .chain((0..60_000).map(frame));
        let names = (0..60_000).map(|n| symbol(n, vec![String::new(); 1024]));
        Forged::new(1, 1).all(first.chain(names)).end()
    }),
    ("lines", || {
        let first = [object("/a".to_owned())]
            .into_iter()
            .chain((0..60_000).map(frame));
        let line = || {
            Some(Line {
                file: String::new(),
                number: 1,
            })
        };
        let lines = (0..60_000).map(|n| {
            Record::Lines(Lines {
                frame: FrameId(n),
                lines: vec![line(); 1024],
            })
        });
        Forged::new(1, 1).all(first.chain(lines)).end()
    }),
    ("segments", || {
        let segments = (0..20_000).flat_map(|n| {
            let segment = Segment {
                offset: 0,
                length: 0,
                address: 0,
            };
            let segments = vec![segment; 1024];
            let object = ObjectId(n);
            [
                self::object(String::new()),
                Record::Segments { object, segments },
            ]
        });
        Forged::new(1, 1).all(segments).end()
    }),
    ("samples that are alike", || {
        let first = [object("/a".to_owned()), frame(0), node(None, 0)];
        let mut forged = Forged::new(1, 1).all(tasks(1)).all(first.into_iter());
        let own = threads(1, 1, 1);
        let each = samples(MAX_SAMPLES as u64, 1);
        for _ in 0..40 {
            forged.interval((1, &own), (MAX_SAMPLES as u64, &each));
        }
        forged.end()
    }),
    ("accounts that are alike", || {
        let mut forged = Forged::new(1, 1).all(tasks(1));
        let each = threads(MAX_THREADS as u64, 1, 1);
        for _ in 0..40 {
            forged.interval((MAX_THREADS as u64, &each), (0, &[]));
        }
        forged.end()
    }),
    ("accounts in all CPU groups", || {
        let mut forged = Forged::new(1024, 1).all(tasks(512));
        let each = threads(MAX_THREADS as u64, 512, 1024);
        for _ in 0..10 {
            forged.interval((MAX_THREADS as u64, &each), (0, &[]));
        }
        forged.end()
    }),
    ("intervals", || {
        let mut forged = Forged::new(1, 1).all(tasks(1));
        let own = threads(1, 1, 1);
        for _ in 0..300_000 {
            forged.interval((1, &own), (0, &[]));
        }
        forged.end()
    }),
    ("intervals of many meters", || {
        let mut forged = Forged::new(1024, 1024).all(tasks(1));
        let own = threads(1, 1, 1);
        for _ in 0..20_000 {
            forged.interval((1, &own), (0, &[]));
        }
        forged.end()
    }),
    ("arguments", || {
        let mut forged = Forged::headless();
        let mut header = Header::default();
        header.command.argv = vec![String::new(); MAX_ARGUMENTS];
        forged.add(&Record::Header(Box::new(header)));
        forged.end()
    }),
    ("caveats", || {
        let mut forged = Forged::headless();
        let caveats = |number| (0..number).map(|_| Caveat::new("", "")).collect();
        forged.add(&Record::Header(Box::new(Header {
            caveats: caveats(MAX_CAVEATS),
            ..Header::default()
        })));
        forged.end_with(End {
            caveats: caveats(MAX_CAVEATS),
            ..End::default()
        })
    }),
    ("losses", || {
        let mut end = End::default();
        (0..200_000).for_each(|n| end.losses.count(&format!("{n:x}"), 1));
        Forged::new(1, 1).end_with(end)
    }),
    ("programs", || {
        let mut end = End::default();
        end.footprint.programs = vec![(String::new(), 0, None); 600_000];
        Forged::new(1, 1).end_with(end)
    }),
];

/// As many tasks as a reader takes of a small recording, about.
const TASKS: u32 = 30_000;

/// As many frames and stacks.
const STACKS: u32 = 250_000;

/// What is tried with a recording, and with two of it.
const COMMANDS: &[&[&str]] = &[
    &["report", "a.data"],
    &["report", "--format", "json", "a.data"],
    &["report", "--by", "process", "a.data"],
    &["export", "--format", "pprof", "-o", "out", "a.data"],
    &["export", "--format", "firefox", "-o", "out", "a.data"],
    &["export", "--format", "speedscope", "-o", "out", "a.data"],
    &["diff", "a.data", "b.data"],
    &["merge", "-o", "out", "a.data", "b.data"],
    &["dump", "-o", "out", "a.data"],
];

/// Tries so many of the commands with each of the recordings, from another one on each time.
fn try_all(commands: usize) {
    let mut failures = Vec::new();
    for (number, (name, forge)) in BOMBS.iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let path: PathBuf = directory.path().join("a.data");
        fs::write(&path, forge()).unwrap();
        fs::copy(&path, directory.path().join("b.data")).unwrap();
        let size = fs::metadata(&path).unwrap().len();
        let turn = COMMANDS.iter().cycle().skip(number).take(commands);
        for command in turn {
            let _ = fs::remove_file(directory.path().join("out"));
            let (status, said, peak) = peak(command, directory.path());
            let line = format!(
                "{name} ({size} bytes), {command:?}: {status}, {} MiB",
                peak >> 10
            );
            eprintln!("{line}");
            let one = said.matches("error: ").count() == 1 && said.len() < 4096;
            let orderly = match status.code() {
                Some(0) => true,
                Some(65) => one,
                _ => false,
            };
            if !orderly || peak >= MOST {
                failures.push(format!("{line}: {}", &said[..said.len().min(500)]));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn small_recordings_do_not_become_large_ones() {
    try_all(2);
}

#[test]
#[ignore = "minutes: a trial of docs/reliability.md"]
fn no_command_takes_much_memory() {
    try_all(COMMANDS.len());
}
