//! The result of a fit.

use nalgebra::{DMatrix, DVector};

use super::errors::Errors;
use super::gram::Gram;
use super::health::Health;
use super::ridge::Ridge;
use super::settings::Settings;
use super::shape::Shape;

/// Whether the weights are to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They predict held-out rows better than CPU time does.
    Better,
    /// They do not: share by CPU time.
    TimeShareIsBetter,
    /// There are too few rows to decide.
    TooFewRows,
}

/// One term of a fit: a function of one column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FittedTerm {
    /// Which column.
    pub column: usize,
    /// In which way.
    pub shape: Shape,
    /// Watts per unit of the shaped column; never negative.
    pub weight: f64,
}

/// Weights, and how good they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The terms; their sum and the intercept are the power.
    pub terms: Vec<FittedTerm>,
    /// Watts without any signal; 0 where none was asked for.
    pub intercept: f64,
    /// Its standard deviation.
    pub intercept_sd: f64,
    /// Covariance of the terms' weights, row by row.
    pub covariance: Vec<f64>,
    /// Errors on rows that were left out, everything that was chosen being
    /// chosen without them.
    pub held_out: Errors,
    /// The same errors of the model that knows CPU time only.
    pub time_share: Errors,
    /// Standard deviation of the error on rows that were left out, relative
    /// to the predicted power.
    pub residual: f64,
    /// Watts per unit of all columns of time together, of the model that knows
    /// CPU time only; 0 where no column is time.
    pub by_time: f64,
    /// Its [`residual`](Self::residual).
    pub by_time_residual: f64,
    /// What the columns are like.
    pub health: Health,
    /// The strength of the prior that cross-validation chose.
    pub strength: f64,
    /// Number of rows.
    pub rows: u64,
    /// Whether to use it.
    pub verdict: Verdict,
}

impl Fit {
    /// Predicted power in watts, the intercept included.
    pub fn predict(&self, row: &[f64]) -> f64 {
        self.terms.iter().fold(self.intercept, |sum, term| {
            sum + term.weight * term.shape.of(row.get(term.column).copied().unwrap_or(0.0))
        })
    }
}

/// The covariance of the `terms` first columns, and the standard deviation of
/// the column after them.
pub(super) fn parts(covariance: Option<&DMatrix<f64>>, terms: usize) -> (Vec<f64>, f64) {
    let at = |i: usize, j: usize| {
        let value = covariance.and_then(|all| all.get((i, j)));
        value.copied().unwrap_or(0.0)
    };
    let square = (0..terms * terms).map(|k| at(k / terms, k % terms));
    (square.collect(), at(terms, terms).max(0.0).sqrt())
}

/// Covariance of the weights, all columns of the Grams.
///
/// The inverse of the equations with the prior, times the variance of the
/// residuals, times how much more the errors of a fold agree with each other
/// than independent errors would (the mean design effect of cluster-robust
/// errors; Liang and Zeger, 1986). Weights at their bound of zero are taken as
/// known by the others; they themselves get the variance that they would have
/// alone.
pub(super) fn covariance(
    folds: &[Gram],
    total: &Gram,
    settings: &Settings,
    strength: f64,
    theta: &DVector<f64>,
) -> Option<DMatrix<f64>> {
    let ridge = Ridge::new(total, settings)?;
    let equations = ridge.with_prior(strength);
    let free: Vec<usize> = (0..theta.len()).filter(|&j| theta[j] > 0.0).collect();
    let inverse = equations
        .select_rows(&free)
        .select_columns(&free)
        .cholesky()?
        .inverse();
    let n = total.rows as f64;
    let used = free.len() as f64;
    let scaled = ridge.unit.powi(2) * total.weight;
    let variance = total.squared_error(theta) / scaled * n / (n - used).max(1.0);
    // Scores of the folds: independent errors of variance v make them add up
    // to v × (number of columns).
    let scores = folds.iter().filter(|fold| fold.rows > 0).map(|fold| {
        let score = (&fold.xy - &fold.xx * theta).component_div(&ridge.scale);
        let score = score.select_rows(&free) * n.sqrt() / (ridge.unit * total.weight);
        (&inverse * &score).dot(&score)
    });
    let effect = scores.sum::<f64>() / (variance.max(f64::MIN_POSITIVE) * used.max(1.0));
    let spread = variance / n * effect.max(1.0) * ridge.unit.powi(2);
    let mut all = DMatrix::zeros(theta.len(), theta.len());
    for j in 0..theta.len() {
        if total.xx[(j, j)] > 0.0 {
            all[(j, j)] = spread / (equations[(j, j)] * ridge.scale[j].powi(2));
        }
    }
    for (p, &i) in free.iter().enumerate() {
        for (q, &j) in free.iter().enumerate() {
            all[(i, j)] = inverse[(p, q)] * spread / (ridge.scale[i] * ridge.scale[j]);
        }
    }
    Some(all)
}
