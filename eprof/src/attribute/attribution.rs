//! Attribution as it goes along: span by span, in memory that grows
//! with the number of threads and stacks but not with the length of the run.

use std::collections::BTreeMap;

use crate::caveat::Caveat;
use crate::error::Result;
use crate::measurement::{Baseline, CpuGroupId, MeterId, Signals, Task, TaskId};
use crate::recording::{Header, IntervalRecord};
use crate::timeline::Interval;
use crate::unit::{Microjoules, Nanos, Timestamp};

use super::activity::{Activity, Consumer, Work, on_cpus, unnamed};
use super::columns::Columns;
use super::counts::Sampled;
use super::first_pass::{cpu_groups, width};
use super::idle::IdleDraw;
use super::ledger::{
    Account, Attributed, CpuCharge, Energy, HalfWidth, Ledger, ProcessCharge, StackCharge,
    ThreadCharge,
};
use super::meter_accounts::{Charges, MeterAccounts, Share};
use super::observer::Observer;
use super::pool::pools;
use super::process::{Processes, UNNAMED};
use super::sampled::Stacks;
use super::span::ChargedSpan;
use super::uncertainty::Errors;
use super::weigh::Weigher;
use super::{caveats, check::check};
use crate::apportion::apportion;

#[derive(Clone, Debug, Default)]
struct Thread {
    charges: Charges,
    signals: Signals,
    samples: u64,
}

/// The accounts of one run, as they grow.
#[derive(Clone, Debug)]
pub struct Attribution {
    columns: Columns,
    cpu_groups: BTreeMap<CpuGroupId, Vec<u32>>,
    processes: Processes,
    meters: Vec<MeterAccounts>,
    /// One per meter.
    weighers: Vec<Weigher>,
    /// Which meters are split by the same samples.
    pools: BTreeMap<MeterId, usize>,
    threads: BTreeMap<TaskId, Thread>,
    by_process: BTreeMap<TaskId, Charges>,
    stacks: Stacks,
    /// The samples of the span at hand.
    sampled: Sampled,
    cpus: BTreeMap<u32, (Energy, Nanos)>,
    /// Spans weighed by the chosen rule, and by time where a signal is missing.
    weighed: (u64, u64),
    /// What the target did.
    signals: Signals,
    until: Timestamp,
    caveats: Vec<Caveat>,
}

impl Attribution {
    /// Empty accounts for the recording that starts with `header`, of `tasks`;
    /// `weighers` and `baselines` have one per meter.
    pub(super) fn new(
        header: &Header,
        tasks: &[Task],
        weighers: Vec<Weigher>,
        baselines: &[Option<Baseline>],
    ) -> Self {
        let meters = header.meters.iter();
        Self {
            columns: Columns::of(header),
            cpu_groups: cpu_groups(header),
            processes: Processes::of(tasks),
            pools: pools(&header.meters),
            meters: meters
                .zip(baselines)
                .map(|(meter, baseline)| {
                    MeterAccounts::new(meter, IdleDraw::of(meter, baseline.as_ref()))
                })
                .collect(),
            weighers,
            threads: BTreeMap::new(),
            by_process: BTreeMap::new(),
            stacks: Stacks::default(),
            sampled: Sampled::default(),
            cpus: BTreeMap::new(),
            weighed: (0, 0),
            signals: Signals::default(),
            until: header.started,
            caveats: caveats::before(header),
        }
    }

    /// Counts the time and the samples of an interval. (Its energy comes by
    /// [`charge`](Self::charge), once per meter and when it is known.)
    pub fn count(&mut self, record: &IntervalRecord) {
        self.until = self.until.max(record.end);
        let cpus = on_cpus(
            &record.cpus,
            &record.threads,
            &self.processes,
            &self.cpu_groups,
            &self.columns,
        );
        self.signals += self.processes.of_target(&record.cpus, &record.threads);
        self.count_threads(record);
        for (cpu, work) in cpus.into_iter().filter(|(_, work)| work.time > 0) {
            self.cpus.entry(cpu).or_default().1 += Nanos(work.time);
        }
        for samples in record.samples.chunk_by(|a, b| a.task == b.task) {
            let Some(task) = samples.first().map(|sample| sample.task) else {
                continue;
            };
            if self.processes.is_before_exec(task) {
                continue;
            }
            let taken = samples.iter().map(|sample| u64::from(sample.count)).sum();
            let thread = self.threads.entry(task).or_default();
            thread.samples = thread.samples.saturating_add(taken);
            self.stacks.count(task, samples);
        }
    }

    /// Counts what each thread did; what no known thread did is [`UNNAMED`]'s.
    fn count_threads(&mut self, record: &IntervalRecord) {
        let (mut target, mut named) = (Signals::default(), Signals::default());
        for cpu in &record.cpus {
            target += cpu.target;
        }
        for account in &record.threads {
            named += account.signals;
            if !self.processes.is_before_exec(account.task) {
                self.threads.entry(account.task).or_default().signals += account.signals;
            }
        }
        let nameless = unnamed(target.on_cpu.0, named.on_cpu.0);
        if nameless > 0 {
            let mut rest = target;
            rest -= named;
            rest.on_cpu = Nanos(nameless);
            self.threads.entry(UNNAMED).or_default().signals += rest;
        }
    }

    /// Charges the energy of a span of one meter, and tells `observer` who
    /// is charged, where the energy is known.
    pub fn charge(&mut self, interval: &Interval, observer: &mut (impl Observer + ?Sized)) {
        let meter = interval.meter;
        let length = interval.end.since(interval.begin);
        let Some(accounts) = self.meters.get_mut(usize::from(meter.0)) else {
            return;
        };
        let Some(energy) = interval.energy else {
            accounts.unknown(length);
            return;
        };
        let width = width(accounts.meter(), interval);
        let activity = Activity::of(interval, &self.processes, &self.columns, width);
        let Some(weigher) = self.weighers.get(usize::from(meter.0)) else {
            return;
        };
        let unit_energies = weigher.unit_energies(&activity);
        let weights = weigher.weights(&activity.consumers, &unit_energies);
        if activity.consumers.iter().any(|(_, work)| work.time > 0) {
            self.weighed.0 += u64::from(weights.is_some());
            self.weighed.1 += u64::from(weights.is_none());
        }
        let times = |of: &(Consumer, Work)| of.1.time;
        let weights = weights.unwrap_or_else(|| activity.consumers.iter().map(times).collect());
        let shares = accounts.charge(energy, length, interval.boundary, &activity, &weights);
        let (processes, consumers) = (&self.processes, &activity.consumers);
        observer.span(&ChargedSpan::new(interval, processes, consumers, &shares));
        let boundaries = accounts.boundaries;
        let nested = accounts.meter().nested;
        let somewhere = accounts.meter().cpus.first().copied().unwrap_or_default();

        self.sampled.clear();
        if !nested {
            self.sampled.fill(&interval.samples, |sample| {
                weigher.of_sample(sample, &self.columns, &unit_energies)
            });
        }
        let pool = self.pools.get(&meter).copied().unwrap_or(0);
        let split = (pool, meter);
        let during = (interval.begin, interval.end);
        let mut report = |charge: &StackCharge| observer.stack(during, charge);
        let mut groups: BTreeMap<TaskId, Share> = BTreeMap::new();
        let mut target = Energy::default();
        for (&(consumer, _), share) in activity.consumers.iter().zip(&shares.consumers) {
            let Consumer::Thread(task) = consumer else {
                continue;
            };
            let thread = self.threads.entry(task).or_default();
            let charge = thread.charges.entry(meter).or_default();
            charge.add(share, &boundaries);
            *groups.entry(self.processes.leader(task)).or_default() += *share;
            if !nested {
                target += share.energy;
                let counts = (during, self.sampled.of(task));
                self.stacks
                    .charge(task, split, share.energy, counts, &mut report);
            }
        }
        // Sampled here, but without time of their own: for what they carry.
        for (task, counts) in self.sampled.threads() {
            if !activity.has(task) && !self.processes.is_before_exec(task) {
                let counts = (during, counts);
                self.stacks
                    .charge(task, split, Energy::default(), counts, &mut report);
            }
        }
        for (leader, share) in groups {
            let charges = self.by_process.entry(leader).or_default();
            charges.entry(meter).or_default().add(&share, &boundaries);
        }
        if target != Energy::default() {
            let cpus = on_cpus(
                &interval.cpus,
                &interval.threads,
                &self.processes,
                &self.cpu_groups,
                &self.columns,
            );
            let weights = weigher.of_cpus(&cpus, &unit_energies);
            self.charge_cpus(target, &cpus, weights, somewhere);
        }
    }

    /// Splits the target's energy over the CPUs that it ran on.
    fn charge_cpus(
        &mut self,
        energy: Energy,
        cpus: &[(u32, Work)],
        weights: Option<Vec<u64>>,
        somewhere: u32,
    ) {
        let times: Vec<u64> = cpus.iter().map(|(_, work)| work.time).collect();
        if times.iter().all(|&time| time == 0) {
            // Threads ran, but no CPU has time for it.
            self.cpus.entry(somewhere).or_default().0 += energy;
            return;
        }
        let base = Microjoules(energy.with_idle.0 - energy.above_idle.0);
        let dynamics = apportion(energy.above_idle, weights.as_ref().unwrap_or(&times));
        let bases = apportion(base, &times);
        for ((&(cpu, _), above_idle), base) in cpus.iter().zip(dynamics).zip(bases) {
            let with_idle = above_idle + base;
            if with_idle.0 > 0 {
                self.cpus.entry(cpu).or_default().0 += Energy {
                    with_idle,
                    above_idle,
                };
            }
        }
    }

    /// Closes the accounts. `timeline` are the caveats of the timeline;
    /// `observer` is told of what is charged only now.
    ///
    /// # Errors
    ///
    /// `Internal` if the accounts do not balance.
    pub fn finish(
        mut self,
        timeline: Vec<Caveat>,
        observer: &mut (impl Observer + ?Sized),
    ) -> Result<Attributed> {
        let idle_sd: BTreeMap<_, _> = self
            .meters
            .iter()
            .filter(|accounts| !accounts.meter().nested)
            .map(|accounts| (accounts.meter().id, accounts.idle_sd_w()))
            .collect();
        // Energy and half width by all disjoint meters, of some threads
        // together.
        let whole = |charges: &Charges, members: &[TaskId]| -> (Energy, HalfWidth) {
            let (mut energy, mut errors) = (Energy::default(), Errors::default());
            for (meter, charge) in charges {
                if let Some(&sd) = idle_sd.get(meter) {
                    energy += charge.energy;
                    errors.add(charge.spread, sd);
                    errors.weigh(self.spread(*meter, members));
                }
            }
            (energy, errors.half_width())
        };
        let mut members: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
        for &task in self.threads.keys() {
            let leader = self.processes.leader(task);
            members.entry(leader).or_default().push(task);
        }
        let threads = self.threads.iter().map(|(&task, thread)| {
            let (energy, width) = whole(&thread.charges, &[task]);
            ThreadCharge {
                task,
                process: self.processes.leader(task),
                energy,
                meters: thread
                    .charges
                    .iter()
                    .map(|(&meter, charge)| (meter, charge.energy))
                    .collect(),
                width,
                signals: thread.signals,
                samples: thread.samples,
                effective: self.stacks.effective(task).min(thread.samples as f64),
            }
        });
        let threads = threads.collect();
        let processes = self.by_process.iter().map(|(&leader, charges)| {
            let members = members.get(&leader).map_or(&[][..], Vec::as_slice);
            let (energy, width) = whole(charges, members);
            ProcessCharge {
                leader,
                energy,
                width,
            }
        });
        let processes = processes.collect();
        let all_threads: Vec<TaskId> = self.threads.keys().copied().collect();
        let mut caveats = std::mem::take(&mut self.caveats);
        caveats.extend(timeline);
        caveats.extend(caveats::after(&self.meters, self.weighed));
        let meters = std::mem::take(&mut self.meters).into_iter();
        let meters = meters.map(|accounts| {
            let meter = accounts.meter().id;
            accounts.close(|account, energy| match account {
                Account::Target => self.spread(meter, &all_threads),
                account => self.spread_of(meter, account, energy),
            })
        });
        let ledger = Ledger {
            meters: meters.collect(),
        };
        let nameless = self.threads.get(&UNNAMED);
        let nameless = nameless.map(|thread| thread.signals.on_cpu);
        caveats.extend(nameless.map(caveats::nameless));
        let attributed = Attributed {
            threads,
            processes,
            ledger,
            stacks: self.stacks.finish(observer),
            cpus: self
                .cpus
                .into_iter()
                .map(|(cpu, (energy, on_cpu))| CpuCharge {
                    cpu,
                    energy,
                    on_cpu,
                })
                .collect(),
            caveats,
            weighings: self
                .weighers
                .iter()
                .map(|weigher| weigher.weighing().clone())
                .collect(),
            signals: self.signals,
            until: self.until,
        };
        check(&attributed)?;
        Ok(attributed)
    }

    /// Error by the weights of the energy of some threads together.
    fn spread(&self, meter: MeterId, threads: &[TaskId]) -> (f64, f64) {
        let parts: Vec<(Consumer, f64)> = threads
            .iter()
            .filter_map(|task| {
                let charge = self.threads.get(task)?.charges.get(&meter)?;
                Some((Consumer::Thread(*task), charge.energy.above_idle.0 as f64))
            })
            .collect();
        let weigher = self.weighers.get(usize::from(meter.0));
        weigher.map_or((0.0, 0.0), |weigher| weigher.spread(&parts))
    }

    /// The same of an account.
    fn spread_of(&self, meter: MeterId, account: Account, energy: Microjoules) -> (f64, f64) {
        let consumer = match account {
            Account::Idle | Account::Unattributed => return (0.0, 0.0),
            account => Consumer::Account(account),
        };
        let weigher = self.weighers.get(usize::from(meter.0));
        weigher.map_or((0.0, 0.0), |weigher| {
            weigher.spread(&[(consumer, energy.0 as f64)])
        })
    }
}
