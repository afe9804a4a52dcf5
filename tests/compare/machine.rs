//! A machine that is simulated: a program of two threads on two CPUs, whose
//! work varies from run to run, a meter that counts in steps and is updated
//! about every millisecond, samples taken at 997 Hz. It writes recordings.

use std::fs;
use std::path::Path;

use eprof::measurement::{
    Baseline, Counter, CpuAccount, CpuGroup, CpuGroupId, Domain, Event, Frame, FrameId, Meter,
    MeterId, Object, ObjectId, Provenance, Quantity, Reading, Scope, Signals, SourceKind, StackId,
    StackNode, Symbol, Task, TaskId, ThreadAccount, UpdateTime,
};
use eprof::recording::{
    Command, End, Extent, Footprint, Header, IntervalRecord, Record, SampleCount, Writer,
};
use eprof::unit::{Nanos, Timestamp, Watts};

use super::dice::Dice;

const START: u64 = 1_000_000_000;
const INTERVAL: u64 = 500_000_000;
/// One step of the register: 2⁻¹⁶ J.
const STEP_UJ: f64 = 1e6 / 65_536.0;
const IDLE_W: f64 = 4.0;
/// Power of a busy CPU above idle.
const BUSY_W: f64 = 9.0;
const HZ: f64 = 997.0;

/// The functions of the program: thread, caller, name, CPU seconds of a run.
const WORK: [(usize, &str, &str, f64); 7] = [
    (0, "main", "parse", 2.4),
    (0, "main", "render", 1.4),
    (0, "main", "hash", 0.8),
    (0, "main", "main", 0.05),
    (1, "worker", "compress", 3.0),
    (1, "worker", "crc", 0.7),
    (1, "worker", "worker", 0.02),
];

/// Instructions per nanosecond in a function.
pub(crate) fn rate(function: &str) -> f64 {
    match function {
        "crc" => 4.0,
        _ => 1.0,
    }
}

/// Whether instructions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// They are not.
    Never,
    /// They are.
    Always,
    /// They are, but not all the time.
    Sometimes,
}

/// What a run is like.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The work of these functions is multiplied.
    pub(crate) factors: Vec<(&'static str, f64)>,
    /// Standard deviation of the work, and of the power, from run to run.
    pub(crate) sd: f64,
    /// Whether energy is only estimated.
    pub(crate) estimated: bool,
    /// Whether instructions are counted.
    pub(crate) instructions: Counts,
}

impl Default for Program {
    fn default() -> Self {
        Self {
            factors: Vec::new(),
            sd: 0.007,
            estimated: false,
            instructions: Counts::Never,
        }
    }
}

impl Program {
    pub(crate) fn with(function: &'static str, factor: f64) -> Self {
        Self {
            factors: vec![(function, factor)],
            ..Self::default()
        }
    }

    /// Writes `runs` recordings into `directory`; the n-th begins `gap` seconds
    /// after the one before it, the first at `from`.
    pub(crate) fn record(&self, directory: &Path, runs: usize, seed: u64, from: u64, gap: u64) {
        fs::create_dir_all(directory).unwrap();
        for run in 0..runs {
            let mut dice = Dice::new(seed.wrapping_mul(1_000).wrapping_add(run as u64));
            let at = (from + run as u64 * gap) * 1_000_000_000;
            let file = fs::File::create(directory.join(format!("{run:02}.data"))).unwrap();
            let mut writer = Writer::new(std::io::BufWriter::new(file)).unwrap();
            for record in self.run(&mut dice, at) {
                writer.push(&record).unwrap();
            }
            writer.flush().unwrap();
        }
    }

    fn run(&self, dice: &mut Dice, wall_clock_ns: u64) -> Vec<Record> {
        let (work_factor, power_factor) =
            (1.0 + self.sd * normal(dice), 1.0 + self.sd * normal(dice));
        let seconds: Vec<f64> = WORK
            .iter()
            .map(|(_, _, name, seconds)| {
                let factor = self.factors.iter().find(|(of, _)| of == name);
                let factor = factor.map_or(1.0, |(_, factor)| *factor);
                seconds * factor * work_factor * (1.0 + 0.002 * normal(dice))
            })
            .collect();
        let pid = 1000 + (dice.uniform() * 30_000.0) as u32;
        let mut records = self.head(pid, wall_clock_ns);
        let mut left: [f64; 2] = [0.0; 2];
        for ((thread, ..), seconds) in WORK.iter().zip(&seconds) {
            left[*thread] += seconds * 1e9;
        }
        let whole = left;
        let rates = [0, 1].map(|thread| {
            let functions = WORK.iter().zip(&seconds);
            let own = functions.filter(|((of, ..), _)| *of == thread);
            let counted = own.map(|((_, _, name, _), seconds)| seconds * 1e9 * rate(name));
            match self.instructions {
                Counts::Never => 0.0,
                _ => counted.sum::<f64>() / whole[thread],
            }
        });
        let mut meter = Register::default();
        records.push(Record::Interval(IntervalRecord {
            begin: Timestamp(START),
            end: Timestamp(START),
            readings: vec![meter.read(START, 0.0, dice)],
            ..IntervalRecord::default()
        }));
        let mut now = START;
        while left.iter().any(|left| *left >= 1.0) {
            let busy = left.map(|left| (left.min(INTERVAL as f64)) as u64);
            let length = if busy.contains(&INTERVAL) {
                INTERVAL
            } else {
                *busy.iter().max().unwrap()
            };
            let active = BUSY_W * power_factor * (busy[0] + busy[1]) as f64;
            let joules = (IDLE_W * length as f64 + active) / 1e9;
            let watts = joules * 1e9 / length as f64;
            meter.energy += joules;
            let mut samples = Vec::new();
            for thread in 0..2 {
                samples.extend(sample(thread, busy[thread], whole[thread], &seconds, dice));
                if self.instructions == Counts::Never {
                    samples.iter_mut().for_each(|of| of.counts = [0; 4]);
                }
                left[thread] -= busy[thread] as f64;
            }
            let begin = now;
            now += length;
            records.push(Record::Interval(IntervalRecord {
                begin: Timestamp(begin),
                end: Timestamp(now),
                readings: vec![meter.read(now, watts, dice)],
                cpus: (0..2)
                    .map(|cpu| cpu_account(cpu, busy[cpu as usize], rates[cpu as usize]))
                    .collect(),
                threads: (0..2)
                    .map(|thread| account(thread, busy[thread as usize], rates[thread as usize]))
                    .collect(),
                samples,
            }));
        }
        let mut extent = Extent::default();
        for record in &records {
            if let Record::Interval(of) = record {
                extent.add(of.begin, of.end);
            }
        }
        records.push(Record::End(Box::new(End {
            ended: Timestamp(now),
            extent,
            distrusted: match self.instructions {
                Counts::Sometimes => vec![Counter::Instructions],
                _ => Vec::new(),
            },
            footprint: Footprint {
                cpu: Nanos(20_000_000),
                peak_rss: 30 << 20,
                programs: Vec::new(),
            },
            ..End::default()
        })));
        records
    }

    fn head(&self, pid: u32, wall_clock_ns: u64) -> Vec<Record> {
        let task = |id: u32, tid, generation, parent: Option<u32>, comm: &str| {
            Record::Task(Task {
                id: TaskId(id),
                tid,
                pid,
                start: Timestamp(START + u64::from(tid - pid)),
                began: Timestamp(START + 100 * u64::from(id)),
                generation,
                parent: parent.map(TaskId),
                comm: comm.to_owned(),
            })
        };
        let mut records = vec![
            Record::Header(Box::new(self.header(wall_clock_ns))),
            task(0, pid, 0, None, "eprof"),
            task(1, pid, 1, Some(0), "app"),
            task(2, pid + 7, 0, Some(1), "worker"),
            Record::Object(Object {
                path: "/opt/app".to_owned(),
                build_id: None,
            }),
        ];
        // Two nodes for each function, the caller and itself.
        for (at, (_, caller, name, _)) in WORK.iter().enumerate() {
            let frame = |which: usize| u32::try_from(at * 2 + which).unwrap();
            for which in 0..2 {
                records.push(Record::Frame(Frame::User {
                    object: ObjectId(0),
                    offset: 0x1000 + u64::from(frame(which)) * 64,
                    returns: which == 0,
                }));
                let parent = (which == 1 && caller != name).then(|| StackId(frame(0)));
                records.push(Record::Stack(StackNode {
                    parent,
                    frame: FrameId(frame(which)),
                }));
                let name = if which == 0 { caller } else { name };
                records.push(Record::Symbol(Symbol {
                    frame: FrameId(frame(which)),
                    functions: vec![(*name).to_owned()],
                }));
            }
        }
        records
    }

    fn header(&self, wall_clock_ns: u64) -> Header {
        let (kind, quantity, provenance) = if self.estimated {
            let model = Quantity::Model {
                idle_w: IDLE_W / 2.0,
                busy_w: BUSY_W,
                low: 0.6,
                high: 1.5,
            };
            (SourceKind::Model, model, Provenance::Estimated)
        } else {
            let counter = Quantity::Counter {
                unit_uj: STEP_UJ,
                modulus: Some(1 << 32),
            };
            (SourceKind::Perf, counter, Provenance::Measured)
        };
        Header {
            eprof: "0.1.0".to_owned(),
            wall_clock_ns,
            started: Timestamp(START),
            host: "simulated".to_owned(),
            cpu_model: "A CPU".to_owned(),
            command: Command {
                argv: vec!["./app".to_owned()],
                directory: "/".to_owned(),
            },
            frequency_hz: 997,
            interval: Nanos(INTERVAL),
            events: Event::with(match self.instructions {
                Counts::Never => &[],
                _ => &[Counter::Instructions],
            }),
            follow: "cgroup".to_owned(),
            meters: vec![Meter {
                id: MeterId(0),
                kind,
                name: "energy-pkg".to_owned(),
                domain: Domain::Package,
                scope: Scope::Package(0),
                cpus: vec![0, 1],
                quantity,
                provenance,
                nested: false,
                update_period: Nanos(1_000_000),
                plausible: Watts(500.0),
            }],
            cpu_groups: vec![CpuGroup {
                id: CpuGroupId(0),
                cpus: vec![0, 1],
                core: String::new(),
            }],
            baselines: vec![Baseline {
                meter: MeterId(0),
                power: Watts(IDLE_W),
                sd: Watts(0.03),
                origin: "before-run".to_owned(),
            }],
            ..Header::default()
        }
    }
}

/// The energy register: counts in steps, and is updated about every
/// millisecond.
#[derive(Default)]
struct Register {
    /// Joules until now.
    energy: f64,
}

impl Register {
    fn read(&mut self, now: u64, watts: f64, dice: &mut Dice) -> Reading {
        let age = dice.uniform() * 1e6;
        let joules = (self.energy - watts * age / 1e9).max(0.0) + 1000.0;
        let dated = normal(dice) * 41_000.0;
        Reading {
            meter: MeterId(0),
            raw: (joules * 1e6 / STEP_UJ) as u64,
            begin: Timestamp(now),
            end: Timestamp(now + 1_500),
            updated: Some(UpdateTime {
                at: Timestamp((now as f64 - age + dated).min(now as f64) as u64),
                sd: Nanos(41_000),
            }),
        }
    }
}

/// The samples of a thread that was busy for so long: each hits a function by
/// chance.
fn sample(
    thread: usize,
    busy: u64,
    whole: f64,
    seconds: &[f64],
    dice: &mut Dice,
) -> Vec<SampleCount> {
    let taken = busy as f64 / 1e9 * HZ;
    let taken = taken.floor() as u32 + u32::from(dice.uniform() < taken.fract());
    let mut counts = [0u32; WORK.len()];
    for _ in 0..taken {
        let mut at = dice.uniform() * whole / 1e9;
        for (function, (of, ..)) in WORK
            .iter()
            .enumerate()
            .filter(|(_, (of, ..))| *of == thread)
        {
            at -= seconds[function];
            if at < 0.0 || function + 1 == WORK.len() || WORK[function + 1].0 != *of {
                counts[function] += 1;
                break;
            }
        }
    }
    let hit = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    hit.map(|(function, &count)| {
        let spent = u64::from(count) * 1_003_009;
        SampleCount {
            task: TaskId(thread as u32 + 1),
            group: CpuGroupId(0),
            stack: StackId(function as u32 * 2 + 1),
            count,
            spent: Nanos(spent),
            counts: [0, 0, (spent as f64 * rate(WORK[function].2)) as u64, 0],
        }
    })
    .collect()
}

/// Time, and instructions at this rate.
fn signals(busy: u64, rate: f64) -> Signals {
    Signals::counted(Nanos(busy), [0, 0, (busy as f64 * rate) as u64, 0])
}

fn account(thread: u32, busy: u64, rate: f64) -> ThreadAccount {
    ThreadAccount {
        task: TaskId(thread + 1),
        group: CpuGroupId(0),
        signals: signals(busy, rate),
    }
}

fn cpu_account(cpu: u32, busy: u64, rate: f64) -> CpuAccount {
    CpuAccount {
        cpu,
        kernel: Signals::default(),
        other: Signals::default(),
        eprof: Signals::default(),
        target: signals(busy, rate),
    }
}

/// A standard normal number (Box and Muller, 1958).
pub(crate) fn normal(dice: &mut Dice) -> f64 {
    let radius = (-2.0 * (1.0 - dice.uniform()).ln()).sqrt();
    radius * (std::f64::consts::TAU * dice.uniform()).cos()
}
