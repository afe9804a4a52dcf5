//! Attribution as it goes along: stretch by stretch, in memory that grows
//! with the number of threads and stacks but not with the length of the run.

use std::collections::BTreeMap;

use crate::caveat::Caveat;
use crate::error::Result;
use crate::kernel::{Task, TaskId, ZoneId};
use crate::recording::{Header, IntervalRecord};
use crate::source::MeterId;
use crate::timeline::Interval;
use crate::unit::{Microjoules, Nanos, Timestamp};

use super::activity::{Activity, Payer, Work, take_before_exec, unnamed};
use super::book::{Book, Charges, Share};

use super::idle::IdlePower;
use super::ledger::{Attributed, CpuCharge, HalfWidth, Ledger, Price, ProcessCharge, ThreadCharge};
use super::pool::pools;
use super::process::{Processes, UNNAMED};
use super::sampled::{Counts, Stacks, counts};
use super::settings::Settings;
use super::split::apportion;
use super::uncertainty::Errors;
use super::{caveats, check::check};

#[derive(Clone, Debug, Default)]
struct Thread {
    charges: Charges,
    on_cpu: Nanos,
    samples: u64,
}

/// The books of one run.
#[derive(Clone, Debug)]
pub struct Attribution {
    cycles: bool,
    zones: BTreeMap<ZoneId, Vec<u32>>,
    processes: Processes,
    books: Vec<Book>,
    /// Which meters are split by the same samples.
    pools: BTreeMap<MeterId, usize>,
    threads: BTreeMap<TaskId, Thread>,
    groups: BTreeMap<TaskId, Charges>,
    stacks: Stacks,
    cpus: BTreeMap<u32, (Price, Nanos)>,
    /// Stretches weighed by cycles, and by time for want of them.
    weighed: (u64, u64),
    until: Timestamp,
    caveats: Vec<Caveat>,
}

impl Attribution {
    /// Empty books for the recording that starts with `header`.
    ///
    /// # Errors
    ///
    /// `Usage` where `settings` ask for what the recording does not have.
    pub fn new(header: &Header, settings: &Settings) -> Result<Self> {
        let cycles = settings.cycles(header)?;
        let idle = |meter| {
            let baseline = settings.baseline(meter, header)?;
            Some(IdlePower::new(&baseline, meter.latch))
        };
        let meters = header.meters.iter();
        Ok(Self {
            cycles,
            zones: header
                .zones
                .iter()
                .map(|zone| (zone.id, zone.cpus.clone()))
                .collect(),
            processes: Processes::default(),
            pools: pools(&header.meters),
            books: meters.map(|meter| Book::new(meter, idle(meter))).collect(),
            threads: BTreeMap::new(),
            groups: BTreeMap::new(),
            stacks: Stacks::default(),
            cpus: BTreeMap::new(),
            weighed: (0, 0),
            until: header.started,
            caveats: caveats::before(header),
        })
    }

    /// Takes note of a thread; must come before its first account.
    pub fn task(&mut self, task: &Task) {
        self.processes.add(task);
    }

    /// Counts the time and the samples of an interval. (Its energy comes by
    /// [`charge`](Self::charge), once per meter and when it is settled.)
    pub fn count(&mut self, record: &IntervalRecord) {
        self.until = self.until.max(record.end);
        let mut cpus: Vec<(u32, Work)> = Vec::with_capacity(record.cpus.len());
        for cpu in record.cpus.iter().filter(|cpu| cpu.target.on_cpu.0 > 0) {
            let time = cpu.target.on_cpu.0;
            cpus.push((cpu.cpu, Work { time, cycles: 0 }));
        }
        let target: Nanos = record.cpus.iter().map(|cpu| cpu.target.on_cpu).sum();
        let named: Nanos = record.threads.iter().map(|of| of.signals.on_cpu).sum();
        take_before_exec(&mut cpus, &record.threads, &self.processes, &self.zones);
        for account in &record.threads {
            if !self.processes.is_before_exec(account.task) {
                self.threads.entry(account.task).or_default().on_cpu += account.signals.on_cpu;
            }
        }
        let nameless = unnamed(target.0, named.0);
        if nameless > 0 {
            self.threads.entry(UNNAMED).or_default().on_cpu += Nanos(nameless);
        }
        for (cpu, work) in cpus {
            self.cpus.entry(cpu).or_default().1 += Nanos(work.time);
        }
        for sample in &record.samples {
            if !self.processes.is_before_exec(sample.task) {
                let thread = self.threads.entry(sample.task).or_default();
                thread.samples = thread.samples.saturating_add(sample.count.into());
                let count = u64::from(sample.count);
                self.stacks.count(sample.task, sample.stack, count);
            }
        }
    }

    /// Charges what a meter said about a stretch of time.
    pub fn charge(&mut self, interval: &Interval) {
        let meter = interval.meter;
        let length = interval.end.since(interval.begin);
        let Some(book) = self.books.get_mut(usize::from(meter.0)) else {
            return;
        };
        let Some(energy) = interval.energy else {
            book.unknown(length);
            return;
        };
        let width = match book.meter().cpus.len() {
            0 => interval.cpus.len(),
            named => named,
        };
        let activity = Activity::of(interval, &self.processes, &self.zones, width);
        let by_cycles = self.cycles && activity.has_cycles;
        if self.cycles && activity.payers.iter().any(|(_, work)| work.time > 0) {
            self.weighed.0 += u64::from(by_cycles);
            self.weighed.1 += u64::from(!by_cycles);
        }
        let shares = book.charge(energy, length, interval.border, &activity, by_cycles);
        let borders = book.borders;
        let nested = book.meter().nested;
        let somewhere = book.meter().cpus.first().copied().unwrap_or_default();

        let mut samples = if nested {
            Vec::new()
        } else {
            counts(&interval.samples)
        }
        .into_iter()
        .filter(|(task, _)| !self.processes.is_before_exec(*task))
        .collect::<BTreeMap<TaskId, Counts>>();
        let pool = self.pools.get(&meter).copied().unwrap_or(0);
        let split = (pool, meter);
        let mut groups: BTreeMap<TaskId, Share> = BTreeMap::new();
        let mut target = Price::default();
        for (&(payer, _), share) in activity.payers.iter().zip(&shares) {
            let Payer::Thread(task) = payer else { continue };
            let thread = self.threads.entry(task).or_default();
            let charge = thread.charges.entry(meter).or_default();
            charge.add(share, &borders);
            *groups.entry(self.processes.leader(task)).or_default() += *share;
            if !nested {
                target += share.price;
                let counts = samples.remove(&task).unwrap_or_default();
                self.stacks.charge(task, split, share.price, counts);
            }
        }
        // Sampled here, but without time of their own: for what they carry.
        for (task, counts) in samples {
            self.stacks.charge(task, split, Price::default(), counts);
        }
        for (leader, share) in groups {
            let charges = self.groups.entry(leader).or_default();
            charges.entry(meter).or_default().add(&share, &borders);
        }
        self.charge_cpus(target, &activity.cpus, by_cycles, somewhere);
    }

    /// Splits the target's price over the CPUs that it ran on.
    fn charge_cpus(&mut self, price: Price, cpus: &[(u32, Work)], cycles: bool, somewhere: u32) {
        if price == Price::default() {
            return;
        }
        let times: Vec<u64> = cpus.iter().map(|(_, work)| work.time).collect();
        if times.iter().all(|&time| time == 0) {
            // Threads ran, but no CPU says so.
            self.cpus.entry(somewhere).or_default().0 += price;
            return;
        }
        let cycled: Vec<u64> = cpus.iter().map(|(_, work)| work.cycles).collect();
        let cycled = cycled.iter().any(|&of| of > 0).then_some(cycled);
        let weights = cycled.filter(|_| cycles);
        let base = Microjoules(price.full.0 - price.marginal.0);
        let dynamics = apportion(price.marginal, weights.as_ref().unwrap_or(&times));
        let bases = apportion(base, &times);
        for ((&(cpu, _), marginal), base) in cpus.iter().zip(dynamics).zip(bases) {
            let full = marginal + base;
            self.cpus.entry(cpu).or_default().0 += Price { full, marginal };
        }
    }

    /// Closes the books. `said` is what the timeline had to say.
    ///
    /// # Errors
    ///
    /// `Internal` if the books do not balance.
    pub fn finish(self, said: Vec<Caveat>) -> Result<Attributed> {
        let idle_sd: BTreeMap<_, _> = self
            .books
            .iter()
            .filter(|book| !book.meter().nested)
            .map(|book| (book.meter().id, book.idle_sd_w()))
            .collect();
        // Price and half width by all disjoint meters.
        let whole = |charges: &Charges| -> (Price, HalfWidth) {
            let (mut price, mut errors) = (Price::default(), Errors::default());
            for (meter, charge) in charges {
                if let Some(&sd) = idle_sd.get(meter) {
                    price += charge.price;
                    errors.add(charge.spread, sd);
                }
            }
            (price, errors.half_width())
        };
        let threads = self.threads.iter().map(|(&task, thread)| {
            let (price, width) = whole(&thread.charges);
            ThreadCharge {
                task,
                process: self.processes.leader(task),
                price,
                meters: thread
                    .charges
                    .iter()
                    .map(|(&meter, charge)| (meter, charge.price))
                    .collect(),
                width,
                on_cpu: thread.on_cpu,
                samples: thread.samples,
                effective: self.stacks.effective(task).min(thread.samples as f64),
            }
        });
        let processes = self.groups.iter().map(|(&leader, charges)| {
            let (price, width) = whole(charges);
            ProcessCharge {
                leader,
                price,
                width,
            }
        });
        let mut caveats = self.caveats;
        caveats.extend(said);
        caveats.extend(caveats::after(&self.books, self.weighed));
        let nameless = self.threads.get(&UNNAMED).map(|thread| thread.on_cpu);
        caveats.extend(nameless.map(caveats::nameless));
        let attributed = Attributed {
            threads: threads.collect(),
            processes: processes.collect(),
            ledger: Ledger {
                meters: self.books.into_iter().map(Book::close).collect(),
            },
            stacks: self.stacks.finish(),
            cpus: self
                .cpus
                .into_iter()
                .map(|(cpu, (price, on_cpu))| CpuCharge { cpu, price, on_cpu })
                .collect(),
            caveats,
            weights: match self.weighed {
                (1.., _) => "cycles".to_owned(),
                (0, _) => "time".to_owned(),
            },
            until: self.until,
        };
        check(&attributed)?;
        Ok(attributed)
    }
}
