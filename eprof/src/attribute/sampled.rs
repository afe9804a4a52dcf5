//! A thread's energy on its stacks.

use std::collections::BTreeMap;

use crate::kernel::TaskId;
use crate::recording::{SampleCount, StackId};
use crate::source::MeterId;
use crate::unit::{Microjoules, Timestamp};

use super::ledger::{Price, StackCharge};
use super::places::Places;
use super::split::apportion;
use super::watch::Watch;

/// How often one stack was seen, and how heavy that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) stack: StackId,
    pub(super) count: u64,
    pub(super) weight: u64,
}

impl Seen {
    /// The same, where the samples themselves are told of already.
    fn again(&self) -> Self {
        Self { count: 0, ..*self }
    }
}

/// How each stack of one thread was seen in one stretch.
pub(super) type Counts = Vec<Seen>;

/// Weights of samples are integers for the exact split; the heaviest stack of
/// a stretch weighs so much.
const HEAVIEST: f64 = 1e12;

/// From when to when.
pub(super) type During = (Timestamp, Timestamp);

#[derive(Clone, Debug, Default)]
struct Thread {
    /// Energy of stretches in which the thread was not sampled.
    carried: Price,
    /// The stacks of the last stretch in which it was, and when that was.
    last: Counts,
    last_at: During,
    /// Σ e²/n over stretches of energy e and n samples, µJ², by pool of
    /// meters and by meter.
    squares: BTreeMap<(usize, MeterId), f64>,
    sampled: f64,
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
    without: BTreeMap<TaskId, Price>,
}

impl Charges {
    /// Where the row of a thread's stack is, which there is from now on.
    fn place(&mut self, task: TaskId, stack: StackId) -> usize {
        let place = self.places.of(task, stack, self.rows.len());
        if place >= self.rows.len() {
            self.rows.push(StackCharge {
                task,
                stack: Some(stack),
                price: Price::default(),
                samples: 0,
            });
        }
        place
    }

    fn charge(&mut self, task: TaskId, stack: Option<StackId>, price: Price) {
        let Some(stack) = stack else {
            *self.without.entry(task).or_default() += price;
            return;
        };
        let place = self.place(task, stack);
        if let Some(row) = self.rows.get_mut(place) {
            row.price += price;
        }
    }

    /// All of them, by thread and stack.
    fn rows(self) -> Vec<StackCharge> {
        let mut rows = self.rows;
        rows.extend(self.without.into_iter().map(|(task, price)| StackCharge {
            task,
            stack: None,
            price,
            samples: 0,
        }));
        rows.sort_unstable_by_key(|row| (row.task, row.stack));
        rows
    }
}

/// The stacks of each thread in a stretch, in ascending order, weighed by
/// `weigh`; where that says nothing of one of a thread's stacks, by the number
/// of samples.
pub(super) fn counts(
    samples: &[SampleCount],
    weigh: impl Fn(&SampleCount) -> f64,
) -> Vec<(TaskId, Counts)> {
    let mut sorted: Vec<_> = samples
        .iter()
        .map(|of| (of.task, of.stack, u64::from(of.count), weigh(of)))
        .collect();
    // By everything, so that sums do not depend on the order in the recording.
    sorted.sort_by(|a, b| {
        let by_weight = a.3.total_cmp(&b.3);
        (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)).then(by_weight)
    });
    sorted
        .chunk_by(|a, b| a.0 == b.0)
        .map(|thread| {
            let mut heavy: Vec<(StackId, u64, f64)> = Vec::with_capacity(thread.len());
            for &(_, stack, count, weight) in thread {
                match heavy.last_mut() {
                    Some((last, sum, sums)) if *last == stack => {
                        *sum = sum.saturating_add(count);
                        *sums += weight;
                    }
                    _ => heavy.push((stack, count, weight)),
                }
            }
            let heaviest = heavy.iter().fold(0.0, |most: f64, of| most.max(of.2));
            let sound = heaviest.is_finite() && heavy.iter().all(|of| of.2 > 0.0);
            let seen = heavy.into_iter().map(|(stack, count, weight)| Seen {
                stack,
                count,
                weight: if sound {
                    ((weight / heaviest * HEAVIEST) as u64).max(1)
                } else {
                    count
                },
            });
            (thread[0].0, seen.collect())
        })
        .collect()
}

impl Stacks {
    /// Samples of a thread were taken; counted once, however many meters there
    /// are.
    pub(super) fn count(&mut self, task: TaskId, samples: &[SampleCount]) {
        // Rows are far apart in memory. Where they are is found out for all of
        // them first, so that processors can fetch many at a time.
        let places: Vec<usize> = samples
            .iter()
            .map(|sample| self.charges.place(task, sample.stack))
            .collect();
        for (place, sample) in places.into_iter().zip(samples) {
            if let Some(row) = self.charges.rows.get_mut(place) {
                row.samples = row.samples.saturating_add(sample.count.into());
            }
        }
    }

    /// Splits a thread's price for one stretch of meter `meter`, in the pool
    /// `pool`, over the stacks with which it was sampled in it. Without
    /// samples, the energy waits for the thread's next sampled stretch. `tell`
    /// is told of what each stack is charged with.
    pub(super) fn charge(
        &mut self,
        task: TaskId,
        (pool, meter): (usize, MeterId),
        price: Price,
        (during, counts): (During, Counts),
        tell: &mut dyn FnMut(&StackCharge),
    ) {
        let thread = self.threads.entry(task).or_default();
        let taken: u64 = counts.iter().map(|seen| seen.count).sum();
        if taken == 0 {
            thread.carried += price;
            return;
        }
        let mut whole = std::mem::take(&mut thread.carried);
        whole += price;
        let energy = whole.full.0 as f64;
        thread.sampled += energy;
        *thread.squares.entry((pool, meter)).or_default() += energy * energy / taken as f64;
        put(&mut self.charges, task, whole, &counts, tell);
        thread.last = counts;
        thread.last_at = during;
    }

    /// The number of equally heavy samples that would tell as much about a
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
    /// stretch; a thread that was never sampled keeps its energy on a row
    /// without a stack.
    pub(super) fn finish(mut self, watch: &mut dyn Watch) -> Vec<StackCharge> {
        for (&task, thread) in &self.threads {
            let mut tell = |charge: &StackCharge| watch.stack(thread.last_at, charge);
            // The samples were told of already.
            let last: Counts = thread.last.iter().map(Seen::again).collect();
            put(&mut self.charges, task, thread.carried, &last, &mut tell);
        }
        self.charges.rows()
    }
}

fn put(
    charges: &mut Charges,
    task: TaskId,
    price: Price,
    counts: &Counts,
    tell: &mut dyn FnMut(&StackCharge),
) {
    let mut charge = |stack, price, samples| {
        charges.charge(task, stack, price);
        tell(&StackCharge {
            task,
            stack,
            price,
            samples,
        });
    };
    if counts.is_empty() {
        if price != Price::default() {
            charge(None, price, 0);
        }
        return;
    }
    // The baseline's part apart, so that full is never less than marginal.
    let weights: Vec<u64> = counts.iter().map(|seen| seen.weight).collect();
    let marginals = apportion(price.marginal, &weights);
    let base = Microjoules(price.full.0.saturating_sub(price.marginal.0));
    let bases = apportion(base, &weights);
    for ((seen, marginal), base) in counts.iter().zip(marginals).zip(bases) {
        let price = Price {
            full: marginal + base,
            marginal,
        };
        charge(Some(seen.stack), price, seen.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId(3);

    /// Charges a stretch of the first meter, or of another.
    fn charge(stacks: &mut Stacks, meter: u16, price: Price, counts: Counts) {
        let counts = (During::default(), counts);
        stacks.charge(TASK, (0, MeterId(meter)), price, counts, &mut |_| {});
    }

    fn price(full: u64, marginal: u64) -> Price {
        Price {
            full: Microjoules(full),
            marginal: Microjoules(marginal),
        }
    }

    fn on(stack: u32, count: u64) -> Seen {
        Seen {
            stack: StackId(stack),
            count,
            weight: count,
        }
    }

    fn rows(stacks: Stacks) -> Vec<(Option<u32>, u64, u64)> {
        let charges = stacks.finish(&mut ()).into_iter();
        charges
            .map(|of| {
                let stack = of.stack.map(|stack| stack.0);
                (stack, of.price.full.0, of.price.marginal.0)
            })
            .collect()
    }

    #[test]
    fn energy_waits_for_the_next_sample() {
        let mut stacks = Stacks::default();
        charge(&mut stacks, 0, price(10, 4), Vec::new());
        charge(&mut stacks, 0, price(10, 4), vec![on(1, 1), on(2, 3)]);
        assert_eq!(rows(stacks), [(Some(1), 5, 2), (Some(2), 15, 6)]);
    }

    #[test]
    fn the_last_energy_goes_back_to_the_last_sample() {
        let mut stacks = Stacks::default();
        charge(&mut stacks, 0, price(10, 4), vec![on(1, 1)]);
        charge(&mut stacks, 0, price(7, 7), Vec::new());
        assert_eq!(rows(stacks), [(Some(1), 17, 11)]);
    }

    #[test]
    fn a_thread_that_was_never_sampled_has_no_stack() {
        let mut stacks = Stacks::default();
        charge(&mut stacks, 0, price(10, 4), Vec::new());
        assert_eq!(rows(stacks), [(None, 10, 4)]);
    }

    #[test]
    fn equally_heavy_samples_are_all_effective() {
        let mut stacks = Stacks::default();
        for _ in 0..50 {
            charge(&mut stacks, 0, price(100, 0), vec![on(1, 2)]);
        }
        assert!((stacks.effective(TASK) - 100.0).abs() < 1e-9);
        // A second meter, split by the same samples, tells nothing new.
        for _ in 0..50 {
            charge(&mut stacks, 1, price(30, 0), vec![on(1, 2)]);
        }
        assert!((stacks.effective(TASK) - 100.0).abs() < 1e-9);
        // One heavy stretch with one sample spoils it.
        charge(&mut stacks, 0, price(10_000, 0), vec![on(1, 1)]);
        assert!(stacks.effective(TASK) < 10.0);
    }
}
