//! Who ran during a stretch, and how heavy that was.

use std::collections::BTreeMap;

use crate::kernel::{TaskId, ThreadAccount, ZoneId};
use crate::timeline::Interval;
use crate::unit::Nanos;

use super::ledger::Account;
use super::process::{Processes, UNNAMED};

/// Less than this much of the target's time without a thread is the skew of
/// two clocks, not a thread without a name: a microsecond, and one part in
/// ten thousand.
const SKEW: (u64, u64) = (1_000, 10_000);

/// A shorter time on a CPU may have counted no cycles.
const NO_CYCLES_NS: u64 = 1_000;

/// Who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payer {
    /// A thread of the target.
    Thread(TaskId),
    /// All of an account.
    Account(Account),
}

/// Time and weight, of a payer or of a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Nanoseconds on a CPU.
    pub(super) time: u64,
    /// Cycles on a CPU.
    pub(super) cycles: u64,
}

impl Work {
    fn add(&mut self, other: Self) {
        self.time = self.time.saturating_add(other.time);
        self.cycles = self.cycles.saturating_add(other.cycles);
    }

    /// Takes off up to `other`, and returns what was not there.
    fn take(&mut self, other: Self) -> Self {
        let taken = Self {
            time: self.time.min(other.time),
            cycles: self.cycles.min(other.cycles),
        };
        self.time -= taken.time;
        self.cycles -= taken.cycles;
        Self {
            time: other.time - taken.time,
            cycles: other.cycles - taken.cycles,
        }
    }
}

impl From<&ThreadAccount> for Work {
    fn from(account: &ThreadAccount) -> Self {
        Self {
            time: account.signals.on_cpu.0,
            cycles: account.signals.cycles(),
        }
    }
}

/// What ran during a stretch on the CPUs of one meter.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    /// Threads in ascending order, then the accounts.
    pub(super) payers: Vec<(Payer, Work)>,
    /// The target's work on each CPU, ascending.
    pub(super) cpus: Vec<(u32, Work)>,
    /// CPU time in which nobody ran.
    pub(super) idle: u64,
    /// Whether everyone who ran has cycles.
    pub(super) has_cycles: bool,
}

/// The target's time that belongs to no thread, out of `target`, of which
/// `named` does.
pub(super) fn unnamed(target: u64, named: u64) -> u64 {
    let left = target.saturating_sub(named);
    if left > SKEW.0 && left > target / SKEW.1 {
        left
    } else {
        0
    }
}

/// Takes the work of eprof's child before its exec off the target's CPUs.
/// Which CPU of the zone it ran on is not recorded; the busiest is taken.
pub(super) fn take_before_exec(
    cpus: &mut [(u32, Work)],
    threads: &[ThreadAccount],
    processes: &Processes,
    zones: &BTreeMap<ZoneId, Vec<u32>>,
) {
    let mut by_zone: BTreeMap<ZoneId, Work> = BTreeMap::new();
    for account in threads {
        if processes.is_before_exec(account.task) {
            by_zone.entry(account.zone).or_default().add(account.into());
        }
    }
    for (zone, mut left) in by_zone {
        let zone = zones.get(&zone);
        while left.time > 0 {
            let inside = |cpu: &u32| zone.is_none_or(|zone| zone.contains(cpu));
            let busiest = cpus
                .iter_mut()
                .filter(|(cpu, work)| inside(cpu) && work.time > 0)
                .max_by_key(|(cpu, work)| (work.time, std::cmp::Reverse(*cpu)));
            match busiest {
                Some((_, work)) => left = work.take(left),
                None => break,
            }
        }
    }
}

impl Activity {
    /// Of `interval`, on a meter for `width` CPUs.
    pub(super) fn of(
        interval: &Interval,
        processes: &Processes,
        zones: &BTreeMap<ZoneId, Vec<u32>>,
        width: usize,
    ) -> Self {
        let mut accounts = [Work::default(); 3];
        let mut target = Work::default();
        let mut cpus = Vec::with_capacity(interval.cpus.len());
        for cpu in &interval.cpus {
            let classes = [cpu.kernel, cpu.other, cpu.eprof, cpu.target];
            let mut works = classes.iter().map(|signals| Work {
                time: signals.on_cpu.0,
                cycles: signals.cycles(),
            });
            for (sum, work) in accounts.iter_mut().zip(works.by_ref()) {
                sum.add(work);
            }
            let on_this = works.next().unwrap_or_default();
            target.add(on_this);
            cpus.push((cpu.cpu, on_this));
        }
        cpus.sort_by_key(|&(cpu, _)| cpu);
        take_before_exec(&mut cpus, &interval.threads, processes, zones);

        let mut named = Work::default();
        let mut threads: Vec<(TaskId, Work)> = Vec::with_capacity(interval.threads.len());
        for account in &interval.threads {
            let work = Work::from(account);
            named.add(work);
            if processes.is_before_exec(account.task) {
                // Counted as the target's by the kernel side.
                accounts[2].add(work);
            } else {
                threads.push((account.task, work));
            }
        }
        threads.sort_by_key(|&(task, _)| task);
        threads.dedup_by(|(next, work), (task, sum)| {
            let same = next == task;
            if same {
                sum.add(*work);
            }
            same
        });
        let nameless = Work {
            time: unnamed(target.time, named.time),
            cycles: target.cycles.saturating_sub(named.cycles),
        };
        if nameless.time > 0 {
            threads.push((UNNAMED, nameless));
        }

        let [kernel, other, eprof] = accounts;
        let of_accounts = [
            (Account::Other, other),
            (Account::Kernel, kernel),
            (Account::Eprof, eprof),
        ];
        let payers: Vec<_> = threads
            .into_iter()
            .map(|(task, work)| (Payer::Thread(task), work))
            .chain(of_accounts.map(|(account, work)| (Payer::Account(account), work)))
            .collect();
        let busy = payers.iter().map(|(_, work)| u128::from(work.time)).sum();
        let length: Nanos = interval.end.since(interval.begin);
        let capacity = u128::from(length.0) * width as u128;
        Self {
            has_cycles: payers
                .iter()
                .all(|(_, work)| work.cycles > 0 || work.time < NO_CYCLES_NS)
                && payers.iter().any(|(_, work)| work.cycles > 0),
            idle: u64::try_from(capacity.saturating_sub(busy)).unwrap_or(u64::MAX),
            payers,
            cpus,
        }
    }
}
