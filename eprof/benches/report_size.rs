//! How long a report of a large recording takes: `cargo bench --bench
//! report_size`.
//!
//! Writes recordings of up to 10 million samples with 100,000 stacks of 30
//! frames (64 CPUs that are busy for 157 seconds, at 997 samples per second,
//! two meters; a thread for each, with stacks of its own, drawn at random, so
//! that there is little to compress), and tells the time and peak memory of `eprof report`
//! in each form. `cargo bench --bench report_size -- FILE` keeps the largest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark"
)]

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use eprof::measurement::{
    Baseline, CpuAccount, CpuGroup, CpuGroupId, Domain, Frame, FrameId, Meter, MeterId, Object,
    ObjectId, Provenance, Quantity, Reading, Scope, Signals, SourceKind, StackId, StackNode,
    Symbol, Task, TaskId, ThreadAccount,
};
use eprof::recording::{End, Extent, Header, IntervalRecord, Record, SampleCount, Writer};
use eprof::unit::{Nanos, Timestamp, Watts};

const CPUS: u32 = 64;
const INTERVAL: u64 = 50_000_000;
/// Between two samples of a CPU.
const PERIOD: u64 = 1_003_009;
const FUNCTIONS: u32 = 20_000;
const STACKS: u32 = 100_000;
/// Stacks of each thread.
const EACH: u32 = STACKS / CPUS;
/// Frames from the root that all stacks of a group share, and after them.
const SHARED: u32 = 20;
const OWN: u32 = 10;
const GROUP: u32 = 100;
const FORMS: [&[&str]; 6] = [
    &["report"],
    &["report", "--by", "function"],
    &["report", "--by", "thread", "--format", "csv"],
    &["report", "--format", "json"],
    &["flamegraph", "--folded"],
    &["flamegraph"],
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let keep = arguments.iter().find(|word| !word.starts_with('-'));
    let home = tempfile::tempdir().unwrap();
    println!("| samples | recording | form | time | CPU | peak memory |");
    println!("|---|---|---|---|---|---|");
    for samples in [100_000, 1_000_000, 10_000_000] {
        let path = home.path().join("large.data");
        write(&path, samples);
        let size = path.metadata().unwrap().len() as f64 / f64::from(1 << 20);
        for form in FORMS {
            let (wall, cpu, memory) = measure(home.path(), form);
            println!(
                "| {samples} | {size:.1} MiB | `{}` | {wall:.2} s | {cpu:.2} s | {memory:.0} MiB |",
                form.join(" "),
            );
        }
        if let (Some(keep), 10_000_000) = (keep, samples) {
            std::fs::copy(&path, PathBuf::from(keep)).unwrap();
        }
    }
}

/// Wall-clock and CPU time in seconds, peak resident set in MiB.
fn measure(directory: &Path, form: &[&str]) -> (f64, f64, f64) {
    let log = directory.join("rusage");
    let begin = Instant::now();
    let status = Command::new("/usr/bin/env")
        .args(["time", "-f", "%U %S %M", "-o"])
        .arg(&log)
        .arg(env!("CARGO_BIN_EXE_eprof"))
        .args(form)
        .arg("large.data")
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let wall = begin.elapsed().as_secs_f64();
    assert!(status.success(), "{form:?}: {status}");
    let text = std::fs::read_to_string(&log).unwrap();
    let numbers: Vec<f64> = text
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    (wall, numbers[0] + numbers[1], numbers[2] / 1024.0)
}

/// Numbers that look random (Marsaglia, Xorshift RNGs, 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (((self.0 >> 32) * u64::from(limit)) >> 32) as u32
    }
}

fn write(path: &Path, samples: u64) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut writer = Writer::new(BufWriter::new(File::create(path).unwrap())).unwrap();
    let mut push = |record: Record| writer.push(&record).unwrap();
    push(Record::Header(Box::new(header())));
    push(Record::Interval(interval(0, 0)));
    for id in 0..CPUS {
        push(Record::Task(task(id)));
    }
    let leaves = code(&mut dice, &mut push);
    let mut left = samples;
    let mut extent = Extent::default();
    extent.add(Timestamp(0), Timestamp(0));
    let mut begin = 0;
    while left > 0 {
        let mut record = interval(begin, begin + INTERVAL);
        let each = (INTERVAL / PERIOD).min(left / u64::from(CPUS)).max(1);
        for cpu in 0..CPUS {
            let busy = Signals::of_time(Nanos(INTERVAL));
            record.cpus.push(CpuAccount {
                cpu,
                kernel: Signals::default(),
                other: Signals::default(),
                eprof: Signals::default(),
                target: busy,
            });
            record.threads.push(ThreadAccount {
                task: TaskId(cpu),
                group: CpuGroupId(0),
                signals: busy,
            });
            for _ in 0..each.min(left) {
                left -= 1;
                let stack = leaves[(cpu * EACH + dice.below(EACH)) as usize];
                record.samples.push(SampleCount {
                    task: TaskId(cpu),
                    group: CpuGroupId(0),
                    stack,
                    count: 1,
                    spent: Nanos(PERIOD + u64::from(dice.below(2000))),
                    counts: [0; 4],
                });
            }
        }
        // As they are recorded: each stack once.
        record.samples.sort_by_key(|of| (of.task, of.stack));
        record.samples.dedup_by(|next, of| {
            let same = (next.task, next.stack) == (of.task, of.stack);
            if same {
                of.add(next);
            }
            same
        });
        extent.add(record.begin, record.end);
        push(Record::Interval(record));
        begin += INTERVAL;
    }
    push(Record::End(Box::new(End {
        ended: Timestamp(begin),
        extent,
        ..End::default()
    })));
    writer.finish().unwrap();
}

/// Functions with their names, and stacks of them; their leaves.
fn code(dice: &mut Dice, push: &mut impl FnMut(Record)) -> Vec<StackId> {
    push(Record::Object(Object {
        path: "/usr/bin/large".into(),
        build_id: Some(vec![7; 20]),
    }));
    for function in 0..FUNCTIONS {
        push(Record::Frame(Frame::User {
            object: ObjectId(0),
            offset: u64::from(function) * 64,
            returns: true,
        }));
        push(Record::Symbol(Symbol {
            frame: FrameId(function),
            functions: vec![format!(
                "large::module_{}::function_{function}",
                function % 97
            )],
        }));
    }
    let mut nodes = 0;
    let mut below = |parent, frame| {
        push(Record::Stack(StackNode {
            parent,
            frame: FrameId(frame),
        }));
        nodes += 1;
        Some(StackId(nodes - 1))
    };
    let mut leaves = Vec::new();
    for group in 0..STACKS / GROUP {
        let mut shared = None;
        for depth in 0..SHARED {
            shared = below(shared, (group * 31 + depth) % FUNCTIONS);
        }
        for _ in 0..GROUP {
            let mut own = shared;
            for _ in 0..OWN {
                own = below(own, dice.below(FUNCTIONS));
            }
            leaves.extend(own);
        }
    }
    leaves
}

fn header() -> Header {
    let meter = |id, domain| Meter {
        id: MeterId(id),
        kind: SourceKind::Perf,
        name: format!("meter {id}"),
        domain,
        scope: Scope::Package(0),
        cpus: (0..CPUS).collect(),
        quantity: Quantity::Counter {
            unit_uj: 61.03515625,
            modulus: None,
        },
        provenance: Provenance::Measured,
        nested: false,
        update_period: Nanos(1_000_000),
        plausible: Watts(1000.0),
    };
    Header {
        eprof: env!("CARGO_PKG_VERSION").into(),
        frequency_hz: 997,
        interval: Nanos(INTERVAL),
        follow: "cgroup".into(),
        meters: vec![meter(0, Domain::Package), meter(1, Domain::Dram)],
        cpu_groups: vec![CpuGroup {
            id: CpuGroupId(0),
            cpus: (0..CPUS).collect(),
            core: String::new(),
        }],
        baselines: vec![Baseline {
            meter: MeterId(0),
            power: Watts(40.0),
            sd: Watts(0.5),
            origin: "before-run".into(),
        }],
        ..Header::default()
    }
}

fn task(id: u32) -> Task {
    Task {
        id: TaskId(id),
        tid: 4000 + id,
        pid: 4000 + id / 8 * 8,
        start: Timestamp(0),
        began: Timestamp(0),
        generation: 0,
        parent: (id > 0).then_some(TaskId(0)),
        comm: format!("worker {id}"),
    }
}

/// An interval at whose end the meters have gone on by 200 W and 20 W.
fn interval(begin: u64, end: u64) -> IntervalRecord {
    let readings = [200.0, 20.0]
        .into_iter()
        .zip(0..)
        .map(|(watts, id)| Reading {
            meter: MeterId(id),
            raw: (watts * end as f64 / 1e9 * 1e6 / 61.03515625) as u64,
            begin: Timestamp(end),
            end: Timestamp(end + 1500),
            updated: None,
        });
    IntervalRecord {
        begin: Timestamp(begin),
        end: Timestamp(end),
        readings: readings.collect(),
        ..IntervalRecord::default()
    }
}
