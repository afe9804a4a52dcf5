//! The blocks of a run as equations of the consumers' factors.

use nalgebra::{Cholesky, DMatrix, DVector};

use crate::power::huber;
use crate::statistics::upper_median;

/// Errors of neighbouring blocks are alike, so that blocks tell as much less
/// than independent ones would.
pub(super) const CLUSTERS: f64 = 2.0;

/// Variance of what all factors have in common.
const FREE: f64 = 1.0;

/// How often the variance of the noise is estimated anew.
const ROUNDS: usize = 8;

/// The noise is never taken to be below this part of the mean energy of a
/// block: the register's updates.
const LEAST_NOISE: f64 = 1e-3;

/// A block: what the rule expects of some places, and the energy, both in
/// joules.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Equation {
    /// Energy above idle.
    pub(super) energy: f64,
    /// Variance of the energy because its ends are dated no better, J².
    pub(super) variance: f64,
    /// Places of consumers, ascending, and what is expected of each.
    pub(super) shares: Vec<(usize, f64)>,
}

impl Equation {
    fn expected(&self) -> f64 {
        self.shares.iter().map(|(_, share)| share).sum()
    }

    fn weaken(&mut self, part: f64) {
        self.energy *= part;
        self.shares.iter_mut().for_each(|(_, share)| *share *= part);
    }
}

/// All blocks that are considered, of `n` places.
pub(super) struct Blocks {
    pub(super) equations: Vec<Equation>,
    n: usize,
    /// Σ w wᵀ
    normal: DMatrix<f64>,
    /// Σ w (y − Σw)
    off: DVector<f64>,
    /// Least variance of the noise of a block, J².
    floor: f64,
}

/// What is believed of the factors, having seen the blocks.
pub(super) struct Posterior {
    /// Standard deviation of a consumer's own factor, beforehand.
    pub(super) usual: f64,
    /// The factors.
    pub(super) mean: DVector<f64>,
    /// Their covariance.
    pub(super) covariance: DMatrix<f64>,
    /// Logarithm of the likelihood of the blocks, but for a constant.
    pub(super) evidence: f64,
}

impl Blocks {
    /// Equations of equal weight: those whose ends are dated badly, and those
    /// that are far off, made smaller.
    pub(super) fn new(equations: Vec<Equation>, n: usize) -> Self {
        Self::of(tamed(levelled(equations)), n)
    }

    fn of(equations: Vec<Equation>, n: usize) -> Self {
        let mut normal: DMatrix<f64> = DMatrix::zeros(n, n);
        let mut off = DVector::zeros(n);
        let mut energy = 0.0;
        for equation in &equations {
            energy += equation.energy;
            let residual = equation.energy - equation.expected();
            for (at, &(i, a)) in equation.shares.iter().enumerate() {
                off[i] += a * residual;
                // Places ascend: the part below the diagonal, down a column.
                let mut column = normal.column_mut(i);
                for &(j, b) in &equation.shares[at..] {
                    column[j] += a * b;
                }
            }
        }
        normal.fill_upper_triangle_with_lower_triangle();
        let count = equations.len().max(1) as f64;
        Self {
            floor: (LEAST_NOISE * energy / count).powi(2),
            equations,
            n,
            normal,
            off,
        }
    }

    /// The same without one part of them, of `parts`. Neighbours share an end,
    /// and with it an error: they are left out in pairs.
    pub(super) fn without(&self, part: usize, parts: usize) -> Self {
        let numbered = (0..).zip(&self.equations);
        let left = numbered.filter(|(at, _): &(usize, _)| at / 2 % parts != part);
        Self::of(left.map(|(_, equation)| equation.clone()).collect(), self.n)
    }

    /// For a prior of standard deviation `usual` and, beside it, of covariance
    /// `common`.
    pub(super) fn posterior(&self, usual: f64, common: &DMatrix<f64>) -> Option<Posterior> {
        let n = self.n;
        let one = DVector::from_element(n, 1.0);
        // The scale of the rule was taken from these very blocks: it is free.
        let prior = (DMatrix::identity(n, n) * usual.powi(2) + common).add_scalar(FREE);
        let root = Cholesky::new(prior)?.l();
        let inner = root.transpose() * &self.normal * &root;
        let count = self.equations.len() as f64;
        let residual = self.squares(&one);
        let mut noise = (residual / count).max(self.floor);
        let mut posterior = None;
        for _ in 0..ROUNDS {
            let solved = Cholesky::new(DMatrix::identity(n, n) + &inner / noise)?;
            let covariance = &root * solved.solve(&root.transpose());
            let change = &covariance * &self.off / noise;
            let mean = &one + &change;
            let determinant: f64 = solved.l_dirty().diagonal().iter().map(|of| of.ln()).sum();
            let fits = (residual - change.dot(&self.off)) / noise;
            let evidence = -0.5 * (count * noise.ln() + fits) - determinant;
            // Effective number of factors that the blocks determine.
            let used = (&covariance * &self.normal).trace() / noise;
            noise = (self.squares(&mean) / (count - used).max(1.0)).max(self.floor);
            posterior = Some(Posterior {
                usual,
                mean,
                covariance,
                evidence,
            });
        }
        posterior
    }

    fn squares(&self, factors: &DVector<f64>) -> f64 {
        let known = |of: &Equation| -> f64 {
            let shares = of.shares.iter();
            shares.map(|&(place, share)| share * factors[place]).sum()
        };
        let squares = self.equations.iter();
        squares.map(|of| (of.energy - known(of)).powi(2)).sum()
    }
}

/// Blocks whose ends are dated worse than usual weigh as much less.
fn levelled(mut equations: Vec<Equation>) -> Vec<Equation> {
    let variances: Vec<f64> = equations.iter().map(|of| of.variance).collect();
    let usual = upper_median(&variances).unwrap_or_default();
    for equation in &mut equations {
        if equation.variance > usual {
            // A run whose boundaries are exact has a median of zero.
            let least = (LEAST_NOISE * equation.energy).powi(2);
            let part = (usual.max(least) / equation.variance.max(least)).sqrt();
            equation.weaken(part);
        }
    }
    equations
}

/// Outliers made smaller, so that no single late reading makes a factor (Huber
/// 1964). The square of a residual counts, so its weight does by its root.
fn tamed(mut equations: Vec<Equation>) -> Vec<Equation> {
    let off = |of: &Equation| of.energy - of.expected();
    let weights = huber(&equations.iter().map(off).collect::<Vec<_>>());
    for (equation, weight) in equations.iter_mut().zip(weights.unwrap_or_default()) {
        equation.weaken(weight.sqrt());
    }
    equations
}
