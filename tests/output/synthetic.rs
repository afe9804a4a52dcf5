//! Small profiles with known sums: threads with stacks are given, everything
//! else is derived by addition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eprof::apportion::apportion;
use eprof::attribute::{Account, Energy, HalfWidth, Rule, Weighing};
use eprof::caveat::Caveat;
use eprof::measurement::{Counter, Event, Events, Loss, MeterId, Provenance, Signals};
use eprof::profile::{
    CpuRow, FunctionKey, FunctionRow, ModuleRow, ProcessKey, ProcessRow, Profile, StackRow,
    StackShare, Summary, SymbolFrame, ThreadRow,
};
use eprof::recording::Footprint;
use eprof::unit::{Microjoules, Nanos, Timestamp};

/// A thread with its stacks: frames (`function@module`, root first),
/// microjoules, samples.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    pub(crate) comm: String,
    pub(crate) cpu_ns: u64,
    pub(crate) stacks: Vec<(Vec<String>, u64, u64)>,
}

impl Thread {
    pub(crate) fn new(pid: u32, tid: u32, comm: &str, cpu_ns: u64) -> Self {
        Self {
            pid,
            tid,
            comm: comm.to_owned(),
            cpu_ns,
            stacks: Vec::new(),
        }
    }

    pub(crate) fn stack(mut self, frames: &[&str], uj: u64, samples: u64) -> Self {
        let frames = frames.iter().map(|frame| (*frame).to_owned()).collect();
        self.stacks.push((frames, uj, samples));
        self
    }

    pub(crate) fn uj(&self) -> u64 {
        self.stacks.iter().map(|(_, uj, _)| uj).sum()
    }

    /// 3 GHz, 1.5 instructions per cycle, and a wakeup per millisecond.
    pub(crate) fn events(&self) -> Events {
        let mut events = Events::default();
        events[Counter::Cycles] = self.cpu_ns.saturating_mul(3);
        events[Counter::Instructions] = events[Counter::Cycles] / 2 * 3;
        events[Event::Wakeups] = self.cpu_ns / 1_000_000;
        events[Event::Switches] = events[Event::Wakeups] + 5;
        events[Event::Migrations] = 2;
        events
    }

    /// A part for each stack: by its samples, or by its energy without any.
    fn divided(&self, whole: u64) -> Vec<u64> {
        let samples = self.stacks.iter().map(|(_, _, samples)| *samples);
        let mut weights: Vec<u64> = samples.collect();
        if weights.iter().all(|weight| *weight == 0) {
            weights = self.stacks.iter().map(|(_, uj, _)| *uj).collect();
        }
        let parts = apportion(Microjoules(whole), &weights);
        parts.into_iter().map(|part| part.0).collect()
    }
}

/// Own energy, total, samples, CPU time and events of a function.
type Function = (Energy, Energy, u64, Nanos, Events);

/// What to build.
#[derive(Clone, Debug)]
pub(crate) struct Synthetic {
    pub(crate) argv: Vec<String>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) threads: Vec<Thread>,
    /// Energies of the other accounts, on the package meter.
    pub(crate) others: Vec<(Account, u64)>,
    pub(crate) baseline: bool,
    pub(crate) estimated: bool,
    pub(crate) caveats: Vec<Caveat>,
    pub(crate) losses: Loss,
}

impl Synthetic {
    pub(crate) fn of(threads: Vec<Thread>) -> Self {
        Self {
            argv: vec!["./bench".to_owned(), "--size".to_owned(), "1000".to_owned()],
            exit_code: Some(0),
            threads,
            others: vec![
                (Account::Other, 3_104_512),
                (Account::Kernel, 421_907),
                (Account::Eprof, 310_044),
                (Account::Idle, 12_088_133),
                (Account::Unattributed, 0),
            ],
            baseline: true,
            estimated: false,
            caveats: Vec::new(),
            losses: Loss::default(),
        }
    }

    /// A run with two processes, threads, kernel frames, and all markers.
    pub(crate) fn typical() -> Self {
        let main = Thread::new(4242, 4242, "bench", 2_410_000_000)
            .stack(
                &["main@bench", "parse@bench", "utf8::decode@bench"],
                9_482_113,
                1240,
            )
            .stack(&["main@bench", "parse@bench"], 2_103_551, 275)
            .stack(
                &["main@bench", "write@libc.so.6", "ksys_write@[kernel]"],
                1_004_127,
                131,
            )
            .stack(&["main@bench", "wait_for_workers@bench"], 204_118, 27);
        let worker = |tid: u32, uj: u64| {
            Thread::new(4242, tid, "worker", uj * 175)
                .stack(
                    &[
                        "start_thread@libc.so.6",
                        "worker@bench",
                        "<bench::matrix::Matrix<f64> as core::ops::Mul>::mul@bench",
                    ],
                    uj / 10 * 8,
                    uj / 10_000,
                )
                .stack(&["[truncated]@", "memcpy@libc.so.6"], uj / 10, uj / 100_000)
                .stack(
                    &[
                        "start_thread@libc.so.6",
                        "worker@bench",
                        "[unknown] in libblas.so.3@libblas.so.3",
                    ],
                    uj / 10 + uj % 10,
                    40,
                )
        };
        let short = Thread::new(4250, 4250, "true", 812_000).stack(&["[unsampled]@"], 4_731, 0);
        Self::of(vec![
            main,
            worker(4243, 13_204_551),
            worker(4244, 9_871_006),
            short,
        ])
    }

    pub(crate) fn provenance(&self) -> Provenance {
        if self.estimated {
            Provenance::Estimated
        } else {
            Provenance::Measured
        }
    }

    /// Seven eighths are above idle, where idle power is known.
    pub(crate) fn energy(&self, uj: u64) -> Energy {
        Energy {
            with_idle: Microjoules(uj),
            above_idle: Microjoules(if self.baseline { uj - uj / 8 } else { uj }),
        }
    }

    /// A thread's energy is the sum of its stacks'.
    pub(crate) fn of_thread(&self, thread: &Thread) -> Energy {
        let mut sum = Energy::default();
        for (_, uj, _) in &thread.stacks {
            sum += self.energy(*uj);
        }
        sum
    }

    pub(crate) fn build(&self) -> Profile {
        let header = self.header();
        let ledger = self.ledger();
        let key = |pid| ProcessKey {
            member: 0,
            pid,
            start: Timestamp(1_000_000_000 + u64::from(pid)),
            generation: 1,
        };
        let ci = |uj: u64| Microjoules((uj as f64 * 0.0123).ceil() as u64);
        let mut threads: Vec<(ThreadRow, &Thread)> = self
            .threads
            .iter()
            .map(|thread| {
                let uj = thread.uj();
                let row = ThreadRow {
                    process: key(thread.pid),
                    tid: thread.tid,
                    start: Timestamp(1_000_000_000 + u64::from(thread.tid)),
                    comm: thread.comm.clone(),
                    energy: self.of_thread(thread),
                    ci90: ci(uj),
                    width: HalfWidth {
                        timing: uj as f64 * 0.0123,
                        ..HalfWidth::default()
                    },
                    effective: thread.stacks.iter().map(|(_, _, n)| *n as f64).sum(),
                    cpu: Nanos(thread.cpu_ns),
                    events: thread.events(),
                    samples: thread.stacks.iter().map(|(_, _, n)| n).sum(),
                    meters: vec![
                        (MeterId(0), self.energy(uj - uj / 5)),
                        (MeterId(1), self.energy(uj / 5)),
                        (MeterId(2), self.energy(uj / 2)),
                    ],
                };
                (row, thread)
            })
            .collect();
        threads.sort_by_key(|(row, _)| (std::cmp::Reverse(row.energy.with_idle), row.tid));

        let mut processes: BTreeMap<ProcessKey, ProcessRow> = BTreeMap::new();
        let mut functions: BTreeMap<FunctionKey, Function> = BTreeMap::new();
        let mut modules: BTreeMap<String, (Energy, u64)> = BTreeMap::new();
        let mut stacks = Vec::new();
        let mut cpu = (Energy::default(), Nanos::ZERO);
        for (index, (row, thread)) in threads.iter().enumerate() {
            let process = processes.entry(row.process).or_insert_with(|| ProcessRow {
                key: row.process,
                parent: None,
                comm: thread.comm.clone(),
                threads: 0,
                energy: Energy::default(),
                ci90: Microjoules::ZERO,
                cpu: Nanos::ZERO,
                events: Events::default(),
                samples: 0,
            });
            if row.tid == row.process.pid {
                process.comm = thread.comm.clone();
            }
            process.threads += 1;
            process.energy += row.energy;
            process.ci90 += row.ci90;
            process.cpu += row.cpu;
            process.events += row.events;
            process.samples += row.samples;
            cpu.0 += row.energy;
            cpu.1 += row.cpu;
            let cpus = thread.divided(row.cpu.0);
            let counts = Counter::ALL.map(|counter| thread.divided(row.events[counter]));
            for (at, (frames, uj, samples)) in thread.stacks.iter().enumerate() {
                let cpu = Nanos(cpus[at]);
                let counts = counts.each_ref().map(|of| of[at]);
                let frames: Vec<SymbolFrame> = frames
                    .iter()
                    .map(|frame| {
                        let (function, module) = frame.rsplit_once('@').unwrap_or((frame, ""));
                        SymbolFrame {
                            key: Arc::new(FunctionKey {
                                function: function.to_owned(),
                                module: module.to_owned(),
                            }),
                            inlined: function == "utf8::decode",
                        }
                    })
                    .collect();
                let energy = self.energy(*uj);
                let leaf = frames.last().map(|frame| (*frame.key).clone());
                if let Some(leaf) = leaf {
                    let module = modules.entry(leaf.module.clone()).or_default();
                    module.0 += energy;
                    module.1 += samples;
                    let own = functions.entry(leaf).or_default();
                    own.0 += energy;
                    own.2 += samples;
                    own.3 += cpu;
                    own.4 += Events::counted(counts);
                }
                let distinct: BTreeSet<&FunctionKey> = frames.iter().map(|f| &*f.key).collect();
                for function in distinct {
                    functions.entry(function.clone()).or_default().1 += energy;
                }
                stacks.push(StackRow {
                    thread: index,
                    frames: frames.into(),
                    energy,
                    cpu,
                    counts,
                    samples: *samples,
                });
            }
        }
        let mut processes: Vec<ProcessRow> = processes.into_values().collect();
        processes.sort_by_key(|row| (std::cmp::Reverse(row.energy.with_idle), row.key));
        let mut functions: Vec<FunctionRow> = functions
            .into_iter()
            .map(|(key, (own, total, samples, cpu, events))| FunctionRow {
                key,
                own,
                total,
                ci90: ci(own.with_idle.0 * 3),
                cpu,
                counts: events.counts(),
                samples,
            })
            .collect();
        functions.sort_by_key(|row| std::cmp::Reverse(row.own.with_idle));
        let mut modules: Vec<ModuleRow> = modules
            .into_iter()
            .map(|(module, (own, samples))| ModuleRow {
                module,
                own,
                ci90: ci(own.with_idle.0),
                samples,
            })
            .collect();
        modules.sort_by_key(|row| std::cmp::Reverse(row.own.with_idle));
        Profile {
            members: Vec::new(),
            summary: Summary {
                carbon: None,
                events: Event::with(&[Counter::Cycles, Counter::Instructions]),
                signals: Signals {
                    on_cpu: cpu.1,
                    events: threads.iter().fold(Events::default(), |mut sum, (row, _)| {
                        sum += row.events;
                        sum
                    }),
                },
                header,
                duration: Nanos(5_021_334_871),
                exit_code: self.exit_code,
                provenance: self.provenance(),
                band: self.estimated.then_some((0.65, 1.5)),
                footprint: Footprint {
                    cpu: Nanos(42_117_000),
                    peak_rss: 14 << 20,
                    programs: vec![
                        ("switch".to_owned(), 12_345, Some(151.2)),
                        ("sample".to_owned(), 4_870, Some(2_143.0)),
                        ("exit".to_owned(), 4, None),
                    ],
                },
                samples: threads.iter().map(|(row, _)| row.samples).sum(),
                stacks: StackShare {
                    samples: 4_868,
                    ended: [("copy-ended", 3), ("no-table", 1)].into(),
                },
                weighings: vec![Weighing {
                    meter: MeterId(0),
                    rule: Rule::Time,
                    why: String::new(),
                    signals: Vec::new(),
                    prior: String::new(),
                    held_out: None,
                    time_share: None,
                    blocks: 0,
                }],
            },
            ledger,
            processes,
            functions,
            modules,
            cpus: vec![CpuRow {
                cpu: 0,
                energy: cpu.0,
                on_cpu: cpu.1,
            }],
            stacks,
            threads: threads.into_iter().map(|(row, _)| row).collect(),
            losses: self.losses.clone(),
            caveats: self.caveats.clone(),
        }
    }
}
