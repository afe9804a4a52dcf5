//! A machine and a run, made by hand.

use eprof::attribute::{Account, Attributed, Energy, Settings, attribute};
use eprof::error::Error;
use eprof::measurement::{
    Baseline, COUNTERS, CpuAccount, CpuGroup, CpuGroupId, Domain, Event, Frame, FrameId, Meter,
    MeterId, Provenance, Quantity, Reading, Scope, Signals, SourceKind, StackId, StackNode, Symbol,
    Task, TaskId, ThreadAccount,
};
use eprof::profile::Profile;
use eprof::recording::{Catalog, Header, IntervalRecord, SampleCount};
use eprof::unit::{Microjoules, Nanos, Timestamp, Watts};

/// One millisecond in nanoseconds.
pub(crate) const MS: u64 = 1_000_000;

/// The first incarnation after the exec.
pub(crate) const ROOT: u32 = 1;

/// A register of microjoules that never wraps.
pub(crate) const COUNTER: Quantity = Quantity::Counter {
    unit_uj: 1.0,
    modulus: None,
};

/// A run: what a recording would hold.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) header: Header,
    pub(crate) tasks: Vec<Task>,
    pub(crate) records: Vec<IntervalRecord>,
    now: u64,
}

impl Run {
    /// On a machine with these zones. Task 0 is eprof's child before its
    /// exec, task 1 ([`ROOT`]) the command.
    pub(crate) fn new(zones: &[&[u32]]) -> Self {
        let zones = zones.iter().zip(0..).map(|(cpus, id)| CpuGroup {
            id: CpuGroupId(id),
            cpus: cpus.to_vec(),
            core: String::new(),
        });
        let mut run = Self {
            header: Header {
                eprof: "test".to_owned(),
                frequency_hz: 997,
                interval: Nanos(10 * MS),
                events: Event::with(&[]),
                follow: "cgroup".to_owned(),
                cpu_groups: zones.collect(),
                ..Header::default()
            },
            tasks: Vec::new(),
            records: Vec::new(),
            now: 0,
        };
        run.task(100, 100, 0, None);
        run.task(100, 100, 1, Some(0));
        run
    }

    pub(crate) fn task(&mut self, tid: u32, pid: u32, generation: u32, parent: Option<u32>) -> u32 {
        let id = u32::try_from(self.tasks.len()).unwrap();
        self.tasks.push(Task {
            id: TaskId(id),
            tid,
            pid,
            start: Timestamp(0),
            began: Timestamp(id.into()),
            generation,
            parent: parent.map(TaskId),
            comm: format!("task{id}"),
        });
        id
    }

    /// A meter for all CPUs, updated every millisecond, believed up to 1 kW.
    pub(crate) fn meter(&mut self, domain: Domain, quantity: Quantity) -> &mut Meter {
        let id = u16::try_from(self.header.meters.len()).unwrap();
        let zones = self.header.cpu_groups.iter();
        let cpus: Vec<u32> = zones.flat_map(|zone| zone.cpus.clone()).collect();
        self.header.meters.push(Meter {
            id: MeterId(id),
            kind: SourceKind::Powercap,
            name: format!("{}-{id}", domain.name()),
            domain,
            scope: Scope::Machine,
            cpus,
            quantity,
            provenance: Provenance::Measured,
            nested: false,
            update_period: Nanos(MS),
            plausible: Watts(1000.0),
        });
        self.header.meters.last_mut().unwrap()
    }

    pub(crate) fn idle(&mut self, meter: u16, watts: f64, sd: f64) {
        self.header.baselines.push(Baseline {
            meter: MeterId(meter),
            power: Watts(watts),
            sd: Watts(sd),
            origin: "option".to_owned(),
        });
    }

    /// The readings at the start.
    pub(crate) fn start(&mut self, raw: &[Option<u64>]) {
        self.interval(0, &[], raw);
        self.records.last_mut().unwrap().cpus.clear();
    }

    /// The next interval: `work` is (task, CPU, nanoseconds).
    pub(crate) fn interval(
        &mut self,
        length: u64,
        work: &[(u32, u32, u64)],
        raw: &[Option<u64>],
    ) -> &mut IntervalRecord {
        let begin = Timestamp(self.now);
        self.now += length;
        let end = Timestamp(self.now);
        let zones = self.header.cpu_groups.clone();
        let cpus = zones.iter().flat_map(|zone| &zone.cpus).map(|&cpu| {
            let on_this = work.iter().filter(|of| of.1 == cpu);
            CpuAccount {
                cpu,
                target: Signals::of_time(on_this.map(|of| Nanos(of.2)).sum()),
                ..CpuAccount::default()
            }
        });
        let threads = work.iter().map(|&(task, cpu, time)| {
            let zone = zones.iter().find(|zone| zone.cpus.contains(&cpu)).unwrap();
            ThreadAccount {
                task: TaskId(task),
                group: zone.id,
                signals: Signals::of_time(Nanos(time)),
            }
        });
        let readings = raw.iter().zip(0..).filter_map(|(raw, id)| {
            Some(Reading {
                meter: MeterId(id),
                raw: (*raw)?,
                begin: end,
                end,
                updated: None,
            })
        });
        self.records.push(IntervalRecord {
            begin,
            end,
            readings: readings.collect(),
            cpus: cpus.collect(),
            threads: threads.collect(),
            samples: Vec::new(),
        });
        self.records.last_mut().unwrap()
    }

    pub(crate) fn try_attribute(&self, settings: &Settings) -> Result<Attributed, Error> {
        let records = |_| Ok(self.records.iter().cloned().map(Ok));
        attribute(&self.header, &self.tasks, records, settings, &mut ())
    }

    pub(crate) fn attribute(&self) -> Attributed {
        self.try_attribute(&Settings::default()).unwrap()
    }

    /// A catalogue in which stack `n` is `main → fn n` for `n` above 0, and
    /// stack 0 is `main` alone.
    pub(crate) fn catalog(&self, stacks: u32) -> Catalog {
        let mut catalog = Catalog::new(self.header.clone());
        catalog.tasks = self.tasks.clone();
        catalog.gone = vec![None; self.tasks.len()];
        for n in 0..stacks {
            catalog.frames.push(Frame::Kernel {
                address: n.into(),
                returns: false,
            });
            catalog.stacks.push(StackNode {
                parent: (n > 0).then_some(StackId(0)),
                frame: FrameId(n),
            });
            catalog.symbols.push(Symbol {
                frame: FrameId(n),
                functions: vec![if n == 0 {
                    "main".to_owned()
                } else {
                    format!("fn {n}")
                }],
            });
        }
        catalog
    }

    pub(crate) fn profile(&self, stacks: u32) -> Profile {
        Profile::build(&self.catalog(stacks), &self.attribute())
    }
}

pub(crate) fn sample(task: u32, zone: u16, stack: u32, count: u32) -> SampleCount {
    SampleCount {
        task: TaskId(task),
        group: CpuGroupId(zone),
        stack: StackId(stack),
        count,
        spent: Nanos(u64::from(count) * MS),
        counts: [0; COUNTERS],
    }
}

pub(crate) fn energy(full: u64, marginal: u64) -> Energy {
    Energy {
        with_idle: Microjoules(full),
        above_idle: Microjoules(marginal),
    }
}

/// The full energy of an account of one meter.
pub(crate) fn full(attributed: &Attributed, meter: usize, account: Account) -> u64 {
    attributed.ledger.meters[meter].accounts[&account]
        .with_idle
        .0
}

pub(crate) fn codes(attributed: &Attributed) -> Vec<&str> {
    let caveats = attributed.caveats.iter();
    caveats.map(|caveat| caveat.code.as_str()).collect()
}
