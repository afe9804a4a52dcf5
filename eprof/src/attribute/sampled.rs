//! A thread's energy on its stacks.

use std::collections::BTreeMap;

use crate::measurement::{COUNTERS, MeterId, StackId, TaskId};
use crate::recording::SampleCount;
use crate::unit::{Microjoules, Timestamp};

use super::counts::Counts;
use super::ledger::{Energy, StackCharge};
use super::observer::Observer;
use super::places::Places;
use crate::apportion::Split;

/// From when to when.
pub(super) type During = (Timestamp, Timestamp);

#[derive(Clone, Debug, Default)]
struct Thread {
    /// Energy of spans in which the thread was not sampled.
    carried: Energy,
    /// The stacks of the last span in which it was, with their weights, and
    /// when that was.
    last: (Vec<StackId>, Vec<u64>),
    last_at: During,
    found: Found,
    /// Σ e²/n over spans of energy e and n samples, µJ², by pool of
    /// meters and by meter.
    squares: BTreeMap<(usize, MeterId), f64>,
    sampled: f64,
}

/// Where the rows of some stacks of a thread are: usually each meter asks for
/// the same ones, one after the other.
#[derive(Clone, Debug, Default)]
struct Found {
    stacks: Vec<StackId>,
    places: Vec<usize>,
}

/// All threads' stacks.
#[derive(Clone, Debug, Default)]
pub(super) struct Stacks {
    threads: BTreeMap<TaskId, Thread>,
    charges: Charges,
}

/// What each stack of each thread was charged with.
#[derive(Clone, Debug, Default)]
struct Charges {
    places: Places,
    rows: Vec<StackCharge>,
    /// Energy of threads that were never sampled.
    without: BTreeMap<TaskId, Energy>,
    above_idle: Split,
    baseline: Split,
}

impl Charges {
    /// Where the row of a thread's stack is, which there is from now on.
    fn place(&mut self, task: TaskId, stack: StackId) -> usize {
        let place = self.places.of(task, stack, self.rows.len());
        if place >= self.rows.len() {
            self.rows.push(StackCharge {
                task,
                stack: Some(stack),
                energy: Energy::default(),
                samples: 0,
                counts: [0; COUNTERS],
            });
        }
        place
    }

    /// Finds the rows of a thread's stacks. They are far apart in memory: where
    /// they are is found out for all of them first, so that processors can
    /// fetch many at a time.
    fn find(
        &mut self,
        task: TaskId,
        stacks: impl Iterator<Item = StackId> + Clone,
        found: &mut Found,
    ) {
        if found.stacks.iter().copied().eq(stacks.clone()) {
            return;
        }
        found.stacks.clear();
        found.stacks.extend(stacks);
        found.places.clear();
        let places = found.stacks.iter().map(|&stack| self.place(task, stack));
        found.places.extend(places);
    }

    /// Splits `energy` over the stacks of a thread, and reports what each is
    /// charged with.
    fn put(
        &mut self,
        task: TaskId,
        energy: Energy,
        (counts, found): (Counts<'_>, &mut Found),
        mut report: impl FnMut(&StackCharge),
    ) {
        let mut report = |stack, energy, samples| {
            report(&StackCharge {
                task,
                stack,
                energy,
                samples,
                counts: [0; COUNTERS],
            });
        };
        if counts.stacks.is_empty() {
            if energy != Energy::default() {
                *self.without.entry(task).or_default() += energy;
                report(None, energy, 0);
            }
            return;
        }
        self.find(task, counts.stacks.iter().copied(), found);
        // The baseline apart, so that no energy is below that above idle.
        let base = Microjoules(energy.with_idle.0.saturating_sub(energy.above_idle.0));
        let above_idle = self.above_idle.apportion(energy.above_idle, counts.weights);
        let baseline = self.baseline.apportion(base, counts.weights);
        let shares = above_idle.iter().zip(baseline);
        let stacks = counts.stacks.iter().zip(counts.counts);
        for ((&place, (&stack, &count)), (&above_idle, &base)) in
            found.places.iter().zip(stacks).zip(shares)
        {
            let energy = Energy {
                with_idle: above_idle + base,
                above_idle,
            };
            if let Some(row) = self.rows.get_mut(place) {
                row.energy += energy;
            }
            report(Some(stack), energy, count);
        }
    }

    /// All of them, by thread and stack.
    fn rows(self) -> Vec<StackCharge> {
        let mut rows = self.rows;
        rows.extend(self.without.into_iter().map(|(task, energy)| StackCharge {
            task,
            stack: None,
            energy,
            samples: 0,
            counts: [0; COUNTERS],
        }));
        rows.sort_unstable_by_key(|row| (row.task, row.stack));
        rows
    }
}

impl Stacks {
    /// Samples of a thread were taken; counted once, however many meters there
    /// are.
    pub(super) fn count(&mut self, task: TaskId, samples: &[SampleCount]) {
        let charges = &mut self.charges;
        let found = &mut self.threads.entry(task).or_default().found;
        charges.find(task, samples.iter().map(|of| of.stack), found);
        for (&place, sample) in found.places.iter().zip(samples) {
            if let Some(row) = charges.rows.get_mut(place) {
                row.samples = row.samples.saturating_add(sample.count.into());
                for (sum, count) in row.counts.iter_mut().zip(sample.counts) {
                    *sum = sum.saturating_add(count);
                }
            }
        }
    }

    /// Splits a thread's energy for one span of meter `meter`, in the pool
    /// `pool`, over the stacks with which it was sampled in it. Without
    /// samples, the energy waits for the thread's next sampled span. `report`
    /// is called with what each stack is charged with.
    pub(super) fn charge(
        &mut self,
        task: TaskId,
        (pool, meter): (usize, MeterId),
        energy: Energy,
        (during, counts): (During, Counts<'_>),
        report: impl FnMut(&StackCharge),
    ) {
        let thread = self.threads.entry(task).or_default();
        let taken: u64 = counts.counts.iter().sum();
        if taken == 0 {
            thread.carried += energy;
            return;
        }
        let mut whole = std::mem::take(&mut thread.carried);
        whole += energy;
        let energy = whole.with_idle.0 as f64;
        thread.sampled += energy;
        *thread.squares.entry((pool, meter)).or_default() += energy * energy / taken as f64;
        let found = &mut thread.found;
        self.charges.put(task, whole, (counts, found), report);
        let (stacks, weights) = &mut thread.last;
        stacks.clear();
        stacks.extend_from_slice(counts.stacks);
        weights.clear();
        weights.extend_from_slice(counts.weights);
        thread.last_at = during;
    }

    /// The number of equally heavy samples that would say as much about a
    /// thread as the samples it has: (Σe)² / Σ(e²/n), by Kish (Survey
    /// Sampling, 1965). Meters of the same CPUs (a pool) were split by the
    /// same samples, so their errors add; those of other CPUs are independent.
    pub(super) fn effective(&self, task: TaskId) -> f64 {
        let Some(thread) = self.threads.get(&task) else {
            return 0.0;
        };
        let mut pools: BTreeMap<usize, f64> = BTreeMap::new();
        for (&(pool, _), square) in &thread.squares {
            *pools.entry(pool).or_default() += square.sqrt();
        }
        let squares: f64 = pools.values().map(|sum| sum * sum).sum();
        if squares > 0.0 {
            thread.sampled * thread.sampled / squares
        } else {
            0.0
        }
    }

    /// All stacks. What is still carried goes to a thread's last sampled
    /// span; a thread that was never sampled keeps its energy on a row
    /// without a stack.
    pub(super) fn finish(mut self, observer: &mut (impl Observer + ?Sized)) -> Vec<StackCharge> {
        for (&task, thread) in &mut self.threads {
            let (stacks, weights) = &thread.last;
            let counts = Counts {
                stacks,
                // The samples were reported already.
                counts: &vec![0; stacks.len()],
                weights,
            };
            let report = |charge: &StackCharge| observer.stack(thread.last_at, charge);
            let counts = (counts, &mut thread.found);
            self.charges.put(task, thread.carried, counts, report);
        }
        self.charges.rows()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId(3);

    /// Charges a span of the first meter, or of another, in which stacks were
    /// seen so often.
    fn charge(stacks: &mut Stacks, meter: u16, energy: Energy, seen: &[(u32, u64)]) {
        let (of, counts): (Vec<_>, Vec<_>) = seen.iter().map(|of| (StackId(of.0), of.1)).unzip();
        let counts = Counts {
            stacks: &of,
            counts: &counts,
            weights: &counts,
        };
        let counts = (During::default(), counts);
        stacks.charge(TASK, (0, MeterId(meter)), energy, counts, |_| {});
    }

    fn energy(with_idle: u64, above_idle: u64) -> Energy {
        Energy {
            with_idle: Microjoules(with_idle),
            above_idle: Microjoules(above_idle),
        }
    }

    fn rows(stacks: Stacks) -> Vec<(Option<u32>, u64, u64)> {
        let charges = stacks.finish(&mut ()).into_iter();
        charges
            .map(|of| {
                let stack = of.stack.map(|stack| stack.0);
                (stack, of.energy.with_idle.0, of.energy.above_idle.0)
            })
            .collect()
    }

    #[test]
    fn energy_waits_for_the_next_sample() {
        let mut stacks = Stacks::default();
        charge(&mut stacks, 0, energy(10, 4), &[]);
        charge(&mut stacks, 0, energy(10, 4), &[(1, 1), (2, 3)]);
        assert_eq!(rows(stacks), [(Some(1), 5, 2), (Some(2), 15, 6)]);
    }

    #[test]
    fn the_last_energy_goes_back_to_the_last_sample() {
        let mut stacks = Stacks::default();
        charge(&mut stacks, 0, energy(10, 4), &[(1, 1)]);
        charge(&mut stacks, 0, energy(7, 7), &[]);
        assert_eq!(rows(stacks), [(Some(1), 17, 11)]);
    }

    #[test]
    fn a_thread_that_was_never_sampled_has_no_stack() {
        let mut stacks = Stacks::default();
        charge(&mut stacks, 0, energy(10, 4), &[]);
        assert_eq!(rows(stacks), [(None, 10, 4)]);
    }

    #[test]
    fn equally_heavy_samples_are_all_effective() {
        let mut stacks = Stacks::default();
        for _ in 0..50 {
            charge(&mut stacks, 0, energy(100, 0), &[(1, 2)]);
        }
        assert!((stacks.effective(TASK) - 100.0).abs() < 1e-9);
        // A second meter, split by the same samples, adds no information.
        for _ in 0..50 {
            charge(&mut stacks, 1, energy(30, 0), &[(1, 2)]);
        }
        assert!((stacks.effective(TASK) - 100.0).abs() < 1e-9);
        // One heavy span with one sample spoils it.
        charge(&mut stacks, 0, energy(10_000, 0), &[(1, 1)]);
        assert!(stacks.effective(TASK) < 10.0);
    }
}
