//! What the blocks of a run say about the power of each consumer beside what the
//! rule says: Bayesian linear regression of the energy of blocks on what the
//! rule predicts for each consumer.
//!
//! With predicted energies `w` (blocks × consumers), factors `f` and energies `y`,
//! `y = w f + ε`, where `f` is normal around one with covariance
//! `K = τ²I + J Σ Jᵀ`: each consumer's own deviation from the rule, and what the
//! uncertain coefficients of the rule have in common (J: relative change of a
//! consumer's energy by coefficient; Σ: their covariance). The posterior is
//! normal again (e.g. Rasmussen and Williams, Gaussian Processes for Machine
//! Learning, 2.1); the variance of ε is estimated along with it. Consumers that
//! always run together cannot be distinguished by a meter, and keep a wide and
//! opposite error.

use std::collections::BTreeMap;

use nalgebra::{DMatrix, DVector};

use super::super::activity::Consumer;
use super::blocks::{Blocks, CLUSTERS, Equation, Posterior};
use super::factors::Factors;

/// Most consumers with a factor of their own; the others share one.
const MOST: usize = 63;

/// Factors beyond these are noise.
const RANGE: (f64, f64) = (0.2, 5.0);

/// Multiples of the usual deviation that are tried: the run itself may show
/// that consumers differ more than usual (empirical Bayes). Not less: the rule
/// was fitted to the same blocks, so that they always seem to agree with it.
const BELIEFS: [f64; 4] = [1.0, 1.4, 2.0, 2.8];

/// How sure the usual deviation is: standard deviation of its logarithm.
const DOUBT: f64 = 0.7;

/// The factors are found again without each of so many parts of the blocks in
/// turn: a jackknife (Tukey 1958).
const PARTS: usize = 8;

/// No rule is better than this.
const LEAST_USUAL: f64 = 1e-3;

/// One block, as the rule sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    /// Energy above idle, joules.
    pub(super) energy: f64,
    /// Variance of that because its ends are dated no better, J².
    pub(super) variance: f64,
    /// What the rule expects of each consumer, in joules or in another unit that
    /// is the same for all blocks.
    pub(super) shares: Vec<(Consumer, f64)>,
}

/// What is believed of the rule beforehand.
#[derive(Clone, Debug)]
pub(super) struct Belief {
    /// Standard deviation of a consumer's own factor.
    pub(super) usual: f64,
    /// By consumer, change of its expected energy by each coefficient, summed
    /// over all blocks.
    pub(super) gradients: BTreeMap<Consumer, Vec<f64>>,
    /// Covariance of the coefficients, row by row; empty for a rule without.
    pub(super) covariance: Vec<f64>,
    /// Whether the coefficients were fitted to the same blocks. The blocks then
    /// count twice, which makes the factors look surer than they are: twice
    /// the information would be half the variance, but the rule takes its part.
    pub(super) fitted_here: bool,
}

/// The factors that follow from `blocks`; `None` where nothing follows.
pub(super) fn resolve(blocks: &[Expected], belief: &Belief) -> Option<Factors> {
    let mut totals: BTreeMap<Consumer, f64> = BTreeMap::new();
    for (consumer, share) in blocks.iter().flat_map(|block| &block.shares) {
        *totals.entry(*consumer).or_default() += share;
    }
    let mut order: Vec<(Consumer, f64)> = totals
        .iter()
        .map(|(consumer, sum)| (*consumer, *sum))
        .collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    order.retain(|(_, sum)| *sum > 0.0);
    let energy: f64 = blocks.iter().map(|block| block.energy).sum();
    let expected: f64 = order.iter().map(|(_, sum)| sum).sum();
    if energy.is_nan() || expected.is_nan() || energy <= 0.0 || expected <= 0.0 {
        return None;
    }
    let scale = energy / expected;
    let own = order.len().min(MOST);
    let places: BTreeMap<Consumer, usize> = (0..)
        .zip(&order[..own])
        .map(|(place, (consumer, _))| (*consumer, place))
        .collect();
    let n = own + 1;

    let equation = |block: &Expected| {
        let mut shares: BTreeMap<usize, f64> = BTreeMap::new();
        for (consumer, share) in &block.shares {
            let place = places.get(consumer).copied().unwrap_or(own);
            *shares.entry(place).or_default() += share * scale;
        }
        Equation {
            energy: block.energy,
            variance: block.variance,
            shares: shares.into_iter().collect(),
        }
    };
    let blocks = Blocks::new(blocks.iter().map(equation).collect(), n);
    let common = common(&order, &places, n, belief)?;
    let believed = BELIEFS.iter().filter_map(|times| {
        let usual = (belief.usual * times).max(LEAST_USUAL);
        // The data may widen the belief, but not at will.
        let doubt = (times.ln() / DOUBT).powi(2) / 2.0;
        let posterior = blocks.posterior(usual, &common)?;
        Some((posterior.evidence - doubt, posterior))
    });
    let (_, posterior) = believed.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let alike = blocks.posterior(LEAST_USUAL, &common)?;
    let Posterior {
        usual,
        mean,
        covariance,
        evidence,
    } = posterior;
    let mut covariance = covariance * CLUSTERS * if belief.fitted_here { 1.5 } else { 1.0 };
    let mut gain = evidence - alike.evidence;
    // A few blocks may show what no others do: threads that run side by side
    // but for a moment. What rests on those alone is no evidence.
    for part in 0..PARTS {
        let rest = blocks.without(part, PARTS);
        let here = rest.posterior(usual, &common)?;
        let change = &here.mean - &mean;
        covariance += &change * change.transpose() * (1.0 - 1.0 / PARTS as f64);
        gain = gain.min(here.evidence - rest.posterior(LEAST_USUAL, &common)?.evidence);
    }
    let mut unexplained: DVector<f64> = DVector::zeros(n);
    let mut sums: DVector<f64> = DVector::zeros(n);
    for Equation { energy, shares, .. } in &blocks.equations {
        let known = shares.iter().map(|&(place, share)| share * mean[place]);
        let known: f64 = known.sum();
        for &(place, share) in shares {
            let share = share * mean[place];
            sums[place] += share;
            let part = if known > 0.0 {
                (share / known).clamp(0.0, 1.0)
            } else {
                0.0
            };
            unexplained[place] += (energy - known).powi(2) * part * (1.0 - part);
        }
    }
    for (variance, sum) in unexplained.iter_mut().zip(sums.iter()) {
        // Not more than all of it.
        *variance = if *sum > 0.0 {
            (*variance / (sum * sum)).min(1.0)
        } else {
            0.0
        };
    }
    Some(Factors {
        places,
        mean: mean.map(|factor: f64| factor.clamp(RANGE.0, RANGE.1)),
        covariance,
        unexplained,
        usual,
        gain,
    })
}

/// What factors have in common because the rule's coefficients are uncertain:
/// their covariance.
fn common(
    order: &[(Consumer, f64)],
    places: &BTreeMap<Consumer, usize>,
    n: usize,
    belief: &Belief,
) -> Option<DMatrix<f64>> {
    let terms = belief.covariance.len().isqrt();
    if terms == 0 {
        return Some(DMatrix::zeros(n, n));
    }
    let mut relative = DMatrix::zeros(n, terms);
    let mut sums = vec![0.0; n];
    for (consumer, sum) in order {
        let place = places.get(consumer).copied().unwrap_or(n - 1);
        sums[place] += sum;
        let gradient = belief.gradients.get(consumer)?;
        for (term, change) in gradient.iter().enumerate().take(terms) {
            relative[(place, term)] += change;
        }
    }
    for (place, sum) in sums.iter().enumerate() {
        for term in 0..terms {
            relative[(place, term)] = if *sum > 0.0 {
                relative[(place, term)] / sum
            } else {
                0.0
            };
        }
    }
    let weights = DMatrix::from_row_slice(terms, terms, &belief.covariance);
    let common: DMatrix<f64> = &relative * weights * relative.transpose();
    let symmetric = (&common + common.transpose()) * 0.5;
    let finite = symmetric.iter().all(|value: &f64| value.is_finite());
    finite.then_some(symmetric)
}
