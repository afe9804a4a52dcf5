//! Attribution as it goes along: stretch by stretch, in memory that grows
//! with the number of threads and stacks but not with the length of the run.

use std::collections::BTreeMap;

use crate::caveat::Caveat;
use crate::error::Result;
use crate::measurement::{Baseline, CpuGroupId, MeterId, Task, TaskId};
use crate::recording::{Header, IntervalRecord};
use crate::timeline::Interval;
use crate::unit::{Microjoules, Nanos, Timestamp};

use super::activity::{Activity, Consumer, Work, on_cpus, unnamed};
use super::columns::Columns;
use super::counts::Sampled;
use super::first_pass::{width, zones};
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
    on_cpu: Nanos,
    samples: u64,
}

/// The books of one run.
#[derive(Clone, Debug)]
pub struct Attribution {
    columns: Columns,
    zones: BTreeMap<CpuGroupId, Vec<u32>>,
    processes: Processes,
    books: Vec<MeterAccounts>,
    /// One per book.
    weighers: Vec<Weigher>,
    /// Which meters are split by the same samples.
    pools: BTreeMap<MeterId, usize>,
    threads: BTreeMap<TaskId, Thread>,
    groups: BTreeMap<TaskId, Charges>,
    stacks: Stacks,
    /// The samples of the stretch at hand.
    sampled: Sampled,
    cpus: BTreeMap<u32, (Energy, Nanos)>,
    /// Stretches weighed as chosen, and by time for want of something.
    weighed: (u64, u64),
    until: Timestamp,
    caveats: Vec<Caveat>,
}

impl Attribution {
    /// Empty books for the recording that starts with `header`, of `tasks`;
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
            zones: zones(header),
            processes: Processes::of(tasks),
            pools: pools(&header.meters),
            books: meters
                .zip(baselines)
                .map(|(meter, baseline)| {
                    MeterAccounts::new(meter, IdleDraw::of(meter, baseline.as_ref()))
                })
                .collect(),
            weighers,
            threads: BTreeMap::new(),
            groups: BTreeMap::new(),
            stacks: Stacks::default(),
            sampled: Sampled::default(),
            cpus: BTreeMap::new(),
            weighed: (0, 0),
            until: header.started,
            caveats: caveats::before(header),
        }
    }

    /// Counts the time and the samples of an interval. (Its energy comes by
    /// [`charge`](Self::charge), once per meter and when it is settled.)
    pub fn count(&mut self, record: &IntervalRecord) {
        self.until = self.until.max(record.end);
        let cpus = on_cpus(
            &record.cpus,
            &record.threads,
            &self.processes,
            &self.zones,
            &self.columns,
        );
        let target: Nanos = record.cpus.iter().map(|cpu| cpu.target.on_cpu).sum();
        let named: Nanos = record.threads.iter().map(|of| of.signals.on_cpu).sum();
        for account in &record.threads {
            if !self.processes.is_before_exec(account.task) {
                self.threads.entry(account.task).or_default().on_cpu += account.signals.on_cpu;
            }
        }
        let nameless = unnamed(target.0, named.0);
        if nameless > 0 {
            self.threads.entry(UNNAMED).or_default().on_cpu += Nanos(nameless);
        }
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

    /// Charges what a meter said about a stretch of time, and tells `watch` who
    /// paid, where the energy is known.
    pub fn charge(&mut self, interval: &Interval, watch: &mut (impl Observer + ?Sized)) {
        let meter = interval.meter;
        let length = interval.end.since(interval.begin);
        let Some(book) = self.books.get_mut(usize::from(meter.0)) else {
            return;
        };
        let Some(energy) = interval.energy else {
            book.unknown(length);
            return;
        };
        let width = width(book.meter(), interval);
        let activity = Activity::of(interval, &self.processes, &self.columns, width);
        let Some(weigher) = self.weighers.get(usize::from(meter.0)) else {
            return;
        };
        let prices = weigher.prices(&activity);
        let weights = weigher.weights(&activity.payers, &prices);
        if activity.payers.iter().any(|(_, work)| work.time > 0) {
            self.weighed.0 += u64::from(weights.is_some());
            self.weighed.1 += u64::from(weights.is_none());
        }
        let times = |of: &(Consumer, Work)| of.1.time;
        let weights = weights.unwrap_or_else(|| activity.payers.iter().map(times).collect());
        let shares = book.charge(energy, length, interval.boundary, &activity, &weights);
        let (processes, payers) = (&self.processes, &activity.payers);
        watch.span(&ChargedSpan::new(interval, processes, payers, &shares));
        let borders = book.borders;
        let nested = book.meter().nested;
        let somewhere = book.meter().cpus.first().copied().unwrap_or_default();

        self.sampled.clear();
        if !nested {
            self.sampled.fill(&interval.samples, |sample| {
                weigher.of_sample(sample, &self.columns, &prices)
            });
        }
        let pool = self.pools.get(&meter).copied().unwrap_or(0);
        let split = (pool, meter);
        let during = (interval.begin, interval.end);
        let mut tell = |charge: &StackCharge| watch.stack(during, charge);
        let mut groups: BTreeMap<TaskId, Share> = BTreeMap::new();
        let mut target = Energy::default();
        for (&(payer, _), share) in activity.payers.iter().zip(&shares.payers) {
            let Consumer::Thread(task) = payer else {
                continue;
            };
            let thread = self.threads.entry(task).or_default();
            let charge = thread.charges.entry(meter).or_default();
            charge.add(share, &borders);
            *groups.entry(self.processes.leader(task)).or_default() += *share;
            if !nested {
                target += share.energy;
                let counts = (during, self.sampled.of(task));
                self.stacks
                    .charge(task, split, share.energy, counts, &mut tell);
            }
        }
        // Sampled here, but without time of their own: for what they carry.
        for (task, counts) in self.sampled.threads() {
            if !activity.has(task) && !self.processes.is_before_exec(task) {
                let counts = (during, counts);
                self.stacks
                    .charge(task, split, Energy::default(), counts, &mut tell);
            }
        }
        for (leader, share) in groups {
            let charges = self.groups.entry(leader).or_default();
            charges.entry(meter).or_default().add(&share, &borders);
        }
        if target != Energy::default() {
            let cpus = on_cpus(
                &interval.cpus,
                &interval.threads,
                &self.processes,
                &self.zones,
                &self.columns,
            );
            let weights = weigher.of_cpus(&cpus, &prices);
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
            // Threads ran, but no CPU says so.
            self.cpus.entry(somewhere).or_default().0 += energy;
            return;
        }
        let base = Microjoules(energy.with_idle.0 - energy.above_idle.0);
        let dynamics = apportion(energy.above_idle, weights.as_ref().unwrap_or(&times));
        let bases = apportion(base, &times);
        for ((&(cpu, _), marginal), base) in cpus.iter().zip(dynamics).zip(bases) {
            let full = marginal + base;
            if full.0 > 0 {
                self.cpus.entry(cpu).or_default().0 += Energy {
                    with_idle: full,
                    above_idle: marginal,
                };
            }
        }
    }

    /// Closes the books. `said` is what the timeline had to say; `watch` is told
    /// of what is charged only now.
    ///
    /// # Errors
    ///
    /// `Internal` if the books do not balance.
    pub fn finish(
        mut self,
        said: Vec<Caveat>,
        watch: &mut (impl Observer + ?Sized),
    ) -> Result<Attributed> {
        let idle_sd: BTreeMap<_, _> = self
            .books
            .iter()
            .filter(|book| !book.meter().nested)
            .map(|book| (book.meter().id, book.idle_sd_w()))
            .collect();
        // Price and half width by all disjoint meters, of some threads
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
                energy: energy,
                meters: thread
                    .charges
                    .iter()
                    .map(|(&meter, charge)| (meter, charge.energy))
                    .collect(),
                width,
                on_cpu: thread.on_cpu,
                samples: thread.samples,
                effective: self.stacks.effective(task).min(thread.samples as f64),
            }
        });
        let threads = threads.collect();
        let processes = self.groups.iter().map(|(&leader, charges)| {
            let members = members.get(&leader).map_or(&[][..], Vec::as_slice);
            let (energy, width) = whole(charges, members);
            ProcessCharge {
                leader,
                energy,
                width,
            }
        });
        let processes = processes.collect();
        let everybody: Vec<TaskId> = self.threads.keys().copied().collect();
        let mut caveats = std::mem::take(&mut self.caveats);
        caveats.extend(said);
        caveats.extend(caveats::after(&self.books, self.weighed));
        let books = std::mem::take(&mut self.books).into_iter();
        let meters = books.map(|book| {
            let meter = book.meter().id;
            book.close(|account, energy| match account {
                Account::Target => self.spread(meter, &everybody),
                account => self.spread_of(meter, account, energy),
            })
        });
        let ledger = Ledger {
            meters: meters.collect(),
        };
        let nameless = self.threads.get(&UNNAMED).map(|thread| thread.on_cpu);
        caveats.extend(nameless.map(caveats::nameless));
        let attributed = Attributed {
            threads,
            processes,
            ledger,
            stacks: self.stacks.finish(watch),
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
        let payer = match account {
            Account::Idle | Account::Unattributed => return (0.0, 0.0),
            account => Consumer::Account(account),
        };
        let weigher = self.weighers.get(usize::from(meter.0));
        weigher.map_or((0.0, 0.0), |weigher| {
            weigher.spread(&[(payer, energy.0 as f64)])
        })
    }
}
