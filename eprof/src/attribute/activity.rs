//! Who ran during a span, and what was measured meanwhile.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::measurement::{CpuAccount, CpuGroupId, Signals, TaskId, ThreadAccount};
use crate::timeline::Interval;
use crate::unit::Nanos;

use super::columns::{Columns, Row, WIDTH};
use super::ledger::Account;
use super::process::{Processes, UNNAMED};

/// Less than this much of the target's time without a thread is the skew of
/// two clocks, not a thread without a name: a microsecond, and one part in
/// ten thousand.
const SKEW: (u64, u64) = (1_000, 10_000);

/// Who is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Consumer {
    /// A thread of the target.
    Thread(TaskId),
    /// All of an account.
    Account(Account),
}

impl Consumer {
    /// The account that it belongs to.
    pub(super) fn account(self) -> Account {
        match self {
            Self::Thread(_) => Account::Target,
            Self::Account(account) => account,
        }
    }
}

/// What a consumer did, or what was done on a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Work {
    /// Nanoseconds on a CPU.
    pub(super) time: u64,
    /// All signals.
    pub(super) row: Row,
}

impl Work {
    fn new(signals: &Signals, row: Row) -> Self {
        Self {
            time: signals.on_cpu.0,
            row,
        }
    }

    fn add(&mut self, other: Self) {
        self.time = self.time.saturating_add(other.time);
        for (sum, more) in self.row.iter_mut().zip(other.row) {
            *sum += more;
        }
    }

    /// Takes off up to `other`, and returns what was not there.
    fn take(&mut self, other: Self) -> Self {
        let time = self.time.min(other.time);
        let mut left = Self {
            time: other.time - time,
            row: [0.0; WIDTH],
        };
        self.time -= time;
        for ((cell, wanted), rest) in self.row.iter_mut().zip(other.row).zip(&mut left.row) {
            let taken = cell.min(wanted);
            *cell -= taken;
            *rest = wanted - taken;
        }
        left
    }
}

/// What ran during a span on the CPUs of one meter.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    /// Threads in ascending order, then the accounts.
    pub(super) consumers: Vec<(Consumer, Work)>,
    /// CPU time in which nothing ran.
    pub(super) idle: u64,
    /// Length of the span.
    pub(super) length: Nanos,
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

/// The target's work on each of the CPUs, ascending; without that of eprof's
/// child before its exec. Which CPU of the group that ran on is not recorded;
/// the busiest is taken.
pub(super) fn on_cpus(
    interval: &[CpuAccount],
    threads: &[ThreadAccount],
    processes: &Processes,
    cpu_groups: &BTreeMap<CpuGroupId, Vec<u32>>,
    columns: &Columns,
) -> Vec<(u32, Work)> {
    let mut cpus: Vec<(u32, Work)> = interval
        .iter()
        .map(|of| {
            let row = columns.on_cpu(of.cpu, &of.target);
            (of.cpu, Work::new(&of.target, row))
        })
        .collect();
    cpus.sort_by_key(|&(cpu, _)| cpu);
    let mut by_group: BTreeMap<CpuGroupId, Work> = BTreeMap::new();
    for account in threads {
        if processes.is_before_exec(account.task) {
            let row = columns.in_group(account.group, &account.signals);
            let work = Work::new(&account.signals, row);
            by_group.entry(account.group).or_default().add(work);
        }
    }
    for (group, mut left) in by_group {
        let group = cpu_groups.get(&group);
        while left.time > 0 {
            let inside = |cpu: &u32| group.is_none_or(|cpus| cpus.contains(cpu));
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
    cpus
}

impl Activity {
    /// Of `interval`, on a meter for `width` CPUs.
    pub(super) fn of(
        interval: &Interval,
        processes: &Processes,
        columns: &Columns,
        width: usize,
    ) -> Self {
        // In a fixed order, so that sums do not depend on that of the recording.
        let mut order: Vec<&CpuAccount> = interval.cpus.iter().collect();
        order.sort_by_key(|of| of.cpu);
        let mut sorted: Vec<&ThreadAccount> = interval.threads.iter().collect();
        sorted.sort_by_key(|of| (of.task, of.group, of.signals.on_cpu, of.signals.events));

        let mut accounts = [Work::default(); 3];
        let mut target = Work::default();
        for cpu in order {
            let work = |signals| Work::new(signals, columns.on_cpu(cpu.cpu, signals));
            let others = [&cpu.kernel, &cpu.other, &cpu.eprof];
            for (sum, signals) in accounts.iter_mut().zip(others) {
                sum.add(work(signals));
            }
            target.add(work(&cpu.target));
        }

        let mut named = Work::default();
        let mut threads: Vec<(TaskId, Work)> = Vec::with_capacity(interval.threads.len());
        for account in sorted {
            let row = columns.in_group(account.group, &account.signals);
            let work = Work::new(&account.signals, row);
            named.add(work);
            if processes.is_before_exec(account.task) {
                // Counted as the target's by the kernel side.
                accounts[2].add(work);
            } else {
                threads.push((account.task, work));
            }
        }
        threads.dedup_by(|(next, work), (task, sum)| {
            let same = next == task;
            if same {
                sum.add(*work);
            }
            same
        });
        let mut nameless = target;
        nameless.take(named);
        nameless.time = unnamed(target.time, named.time);
        if nameless.time > 0 {
            threads.push((UNNAMED, nameless));
        }

        let [kernel, other, eprof] = accounts;
        let of_accounts = [
            (Account::Other, other),
            (Account::Kernel, kernel),
            (Account::Eprof, eprof),
        ];
        let consumers: Vec<_> = threads
            .into_iter()
            .map(|(task, work)| (Consumer::Thread(task), work))
            .chain(of_accounts.map(|(account, work)| (Consumer::Account(account), work)))
            .collect();
        let busy: u128 = consumers
            .iter()
            .map(|(_, work)| u128::from(work.time))
            .sum();
        let length: Nanos = interval.end.since(interval.begin);
        let capacity = u128::from(length.0) * width as u128;
        Self {
            idle: u64::try_from(capacity.saturating_sub(busy)).unwrap_or(u64::MAX),
            consumers,
            length,
        }
    }

    /// Whether a thread is among those that are charged.
    pub(super) fn has(&self, task: TaskId) -> bool {
        let found = self
            .consumers
            .binary_search_by(|(consumer, _)| match consumer {
                Consumer::Thread(of) => of.cmp(&task),
                Consumer::Account(_) => Ordering::Greater,
            });
        found.is_ok()
    }

    /// The signals of all consumers together.
    pub(super) fn whole(&self) -> Row {
        let mut whole = Work::default();
        for (_, work) in &self.consumers {
            whole.add(*work);
        }
        whole.row
    }
}
