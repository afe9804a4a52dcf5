//! The weights of one meter.

use crate::measurement::Signals;
use crate::recording::SampleCount;

use super::super::activity::{Activity, Consumer, Work};
use super::super::columns::{Columns, Row};
use super::super::ledger::Weighing;
use super::factors::Factors;
use super::rule::Rule;

/// A shorter time on a CPU may have counted nothing.
const NOTHING_COUNTED_NS: u64 = 1_000;

/// Weights are integers for the exact split; a unit of the rules that give
/// joules is a picojoule.
const UNITS_PER_JOULE: f64 = 1e12;

/// How the energy of one meter above idle is shared.
#[derive(Clone, Debug)]
pub(in crate::attribute) struct Weigher {
    pub(super) rule: Rule,
    pub(super) factors: Factors,
    /// Whether the factors are used as weights, or only say how wrong the
    /// rule may be.
    pub(super) applied: bool,
    pub(super) weighing: Weighing,
}

impl Weigher {
    /// What was chosen, and how good it is.
    pub(in crate::attribute) fn weighing(&self) -> &Weighing {
        &self.weighing
    }

    /// How many times the power that the rule says `consumer` takes; `None` where
    /// the rule is taken as it is.
    fn factor(&self, consumer: Consumer) -> Option<f64> {
        self.applied.then(|| self.factors.of(consumer)).flatten()
    }

    /// The weights of the consumers; `None` where the rule cannot weigh them all.
    pub(in crate::attribute) fn weights(
        &self,
        consumers: &[(Consumer, Work)],
        unit_energies: &Row,
    ) -> Option<Vec<u64>> {
        let weight = |(consumer, work): &(Consumer, Work)| {
            self.weight(work, unit_energies, self.factor(*consumer))
        };
        sound(consumers, consumers.iter().map(weight).collect())
    }

    /// The weights of the target's work on the CPUs; `None` as above.
    pub(in crate::attribute) fn of_cpus(
        &self,
        cpus: &[(u32, Work)],
        unit_energies: &Row,
    ) -> Option<Vec<u64>> {
        let weight = |(_, work): &(u32, Work)| self.weight(work, unit_energies, None);
        sound(cpus, cpus.iter().map(weight).collect())
    }

    fn weight(&self, work: &Work, unit_energies: &Row, factor: Option<f64>) -> u64 {
        let expected = self.rule.energy(work, unit_energies);
        match (&self.rule, factor) {
            (Rule::Time, None) => work.time,
            (_, factor) => (expected * factor.unwrap_or(1.0) * UNITS_PER_JOULE) as u64,
        }
    }

    /// How much energy a stack that was sampled so often is likely to have
    /// taken, in any unit. A sample stands for a fixed part of the CPU time;
    /// what was counted just before it gives the power.
    pub(in crate::attribute) fn of_sample(
        &self,
        sample: &SampleCount,
        columns: &Columns,
        unit_energies: &Row,
    ) -> f64 {
        let count = f64::from(sample.count);
        let spent = sample.spent.seconds();
        if matches!(self.rule, Rule::Time) || spent <= 0.0 {
            return 0.0;
        }
        let signals = Signals::counted(sample.spent, sample.counts);
        let work = Work {
            time: sample.spent.0,
            row: columns.in_group(sample.group, &signals),
        };
        count * self.rule.energy(&work, unit_energies) / spent
    }

    /// Joules per unit of each signal during a span, from which the weights
    /// follow.
    pub(in crate::attribute) fn unit_energies(&self, activity: &Activity) -> Row {
        self.rule
            .unit_energies(&activity.whole(), activity.length.seconds())
    }

    /// How wrong the sum of `parts` may be because weights are not power: the
    /// expected error and its variance, of energies above idle in microjoules.
    pub(in crate::attribute) fn spread(&self, parts: &[(Consumer, f64)]) -> (f64, f64) {
        self.factors.spread(parts, self.applied)
    }
}

/// The weights, if each consumer that ran for long enough to count something
/// has one.
fn sound<K>(works: &[(K, Work)], weights: Vec<u64>) -> Option<Vec<u64>> {
    let any = weights.iter().any(|&weight| weight > 0);
    let mut pairs = works.iter().zip(&weights);
    let all = pairs.all(|((_, work), &weight)| weight > 0 || work.time < NOTHING_COUNTED_NS);
    (any && all).then_some(weights)
}
