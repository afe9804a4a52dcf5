//! A span of time that waits for its energy, with what ran in it.

use std::collections::BTreeSet;

use crate::measurement::{CpuAccount, CpuGroupId, Meter, ThreadAccount};
use crate::recording::{Header, IntervalRecord, SampleCount};
use crate::unit::{Nanos, Timestamp};

/// The part of the machine that a meter answers for.
#[derive(Clone, Debug)]
pub(super) struct Coverage {
    /// `None`: all CPUs.
    cpus: Option<BTreeSet<u32>>,
    groups: BTreeSet<CpuGroupId>,
    /// How many CPUs the meter names.
    named: usize,
}

impl Coverage {
    /// The CPUs and CPU groups of `meter`. A meter without a list of CPUs answers
    /// for all of them.
    pub(super) fn of(meter: &Meter, header: &Header) -> Self {
        let cpus = (!meter.cpus.is_empty()).then(|| meter.cpus.iter().copied().collect());
        let inside = |cpu: &u32| {
            cpus.as_ref()
                .is_none_or(|cpus: &BTreeSet<_>| cpus.contains(cpu))
        };
        let groups = header.cpu_groups.iter();
        Self {
            // The groups separate the scopes of all meters, so that a group is
            // inside or outside as a whole.
            groups: groups
                .filter(|group| group.cpus.iter().any(inside))
                .map(|group| group.id)
                .collect(),
            named: meter.cpus.len(),
            cpus,
        }
    }

    /// Whether the meter answers for `cpu`.
    pub(super) fn has_cpu(&self, cpu: u32) -> bool {
        self.cpus.as_ref().is_none_or(|cpus| cpus.contains(&cpu))
    }

    /// Whether the meter answers for `group`.
    pub(super) fn has_group(&self, group: CpuGroupId) -> bool {
        self.cpus.is_none() || self.groups.contains(&group)
    }

    /// How many CPUs share the meter, where `accounts` has one entry per CPU.
    pub(super) fn width(&self, accounts: &[CpuAccount]) -> usize {
        if self.named > 0 {
            self.named
        } else {
            accounts.len()
        }
    }
}

/// Time that all CPUs of `accounts` together spent on anything but idling.
pub(super) fn busy(accounts: &[CpuAccount]) -> Nanos {
    accounts.iter().map(CpuAccount::busy).sum()
}

/// Consecutive intervals whose energy is not known yet.
#[derive(Clone, Debug)]
pub(super) struct PendingSpan {
    /// Start of the first.
    pub(super) begin: Timestamp,
    /// End of the last.
    pub(super) end: Timestamp,
    /// What the meter's CPUs did.
    pub(super) cpus: Vec<CpuAccount>,
    /// What the target's threads did on them.
    pub(super) threads: Vec<ThreadAccount>,
    /// The samples taken on them.
    pub(super) samples: Vec<SampleCount>,
    merged_at: usize,
    intervals: usize,
}

impl PendingSpan {
    /// The span of one interval.
    pub(super) fn new(record: &IntervalRecord, coverage: &Coverage) -> Self {
        let mut span = Self {
            begin: record.begin,
            end: record.end,
            cpus: Vec::new(),
            threads: Vec::new(),
            samples: Vec::new(),
            merged_at: 0,
            intervals: 0,
        };
        span.extend(record, coverage);
        span
    }

    /// Appends the next interval.
    pub(super) fn extend(&mut self, record: &IntervalRecord, coverage: &Coverage) {
        self.end = self.end.max(record.end);
        self.intervals += 1;
        let cpus = record.cpus.iter();
        self.cpus
            .extend(cpus.filter(|of| coverage.has_cpu(of.cpu)).cloned());
        let threads = record.threads.iter();
        self.threads
            .extend(threads.filter(|of| coverage.has_group(of.group)));
        self.samples.reserve(record.samples.len());
        for samples in record.samples.chunk_by(|a, b| a.group == b.group) {
            if samples
                .iter()
                .take(1)
                .all(|of| coverage.has_group(of.group))
            {
                self.samples.extend_from_slice(samples);
            }
        }
        // A span may become as long as the run: merge whenever it has
        // doubled, so that it stays as small as the number of distinct rows.
        if self.rows() > 2 * self.merged_at.max(256) {
            self.merge();
        }
    }

    /// Length of the span.
    pub(super) fn length(&self) -> Nanos {
        self.end.since(self.begin)
    }

    /// One entry per CPU, per thread and CPU group, and per thread, CPU group
    /// and stack.
    pub(super) fn merge(&mut self) {
        if self.intervals > 1 {
            self.cpus.sort_by_key(|of| of.cpu);
            self.cpus.dedup_by(|next, sum| {
                let same = next.cpu == sum.cpu;
                if same {
                    sum.add(next);
                }
                same
            });
            self.threads.sort_by_key(|of| (of.task, of.group));
            self.threads.dedup_by(|next, sum| {
                let same = (next.task, next.group) == (sum.task, sum.group);
                if same {
                    sum.add(next);
                }
                same
            });
            self.samples.sort_by_key(|of| (of.task, of.group, of.stack));
            self.samples.dedup_by(|next, sum| {
                let same = (next.task, next.group, next.stack) == (sum.task, sum.group, sum.stack);
                if same {
                    sum.add(next);
                }
                same
            });
        }
        self.merged_at = self.rows();
    }

    fn rows(&self) -> usize {
        self.cpus.len() + self.threads.len() + self.samples.len()
    }
}
