//! One fit for one strength of the prior, and the choice of that strength.
//!
//! The weights minimise
//! `Σ w·(y − x'θ)² / (Σw · y²) + λ Σ ((θ − θ₀)/sd)²` over `θ ≥ 0`: a Gaussian
//! prior on each weight (Hoerl and Kennard's ridge, 1970, about θ₀ instead of
//! zero). Columns and power are scaled to a root mean square of 1, so that
//! nothing depends on the units. λ is the one that predicts blocks best that
//! were left out.

use nalgebra::{DMatrix, DVector};

use super::gram::Gram;
use super::nnls;
use super::settings::Settings;

/// The strengths that are tried, per decade: from hardly any prior to hardly
/// any data.
const STRENGTHS: [f64; 9] = [1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 100.0];

/// The intercept has no prior; this keeps the equations regular.
const LOOSE: f64 = 1e-9;

/// The equations of a fit, scaled, for any strength of the prior.
#[derive(Clone, Debug)]
pub(super) struct Ridge {
    /// `X'X`, scaled.
    pub(super) a: DMatrix<f64>,
    b: DVector<f64>,
    /// Root mean squares of the columns.
    pub(super) scale: DVector<f64>,
    /// Root mean square of the power.
    pub(super) unit: f64,
    mean: DVector<f64>,
    precision: DVector<f64>,
}

impl Ridge {
    /// The equations of the rows in `gram`; `None` where nothing follows from
    /// them.
    /// The last column is the intercept, where the settings want one.
    pub(super) fn new(gram: &Gram, settings: &Settings) -> Option<Self> {
        let unit = (gram.yy / gram.weight).sqrt();
        if gram.rows == 0 || !(unit.is_finite() && unit > 0.0) {
            return None;
        }
        let scale = gram.scales();
        let n = gram.columns();
        let a = DMatrix::from_fn(n, n, |i, j| {
            gram.xx[(i, j)] / (gram.weight * scale[i] * scale[j])
        });
        let b = DVector::from_fn(n, |j, _| gram.xy[j] / (gram.weight * scale[j] * unit));
        let mut mean = match &settings.prior {
            Some(prior) => DVector::from_fn(n, |j, _| prior.mean.get(j).copied().unwrap_or(0.0)),
            None => time_share(gram, settings),
        };
        mean.component_mul_assign(&scale);
        mean /= unit;
        let free = settings.intercept.then(|| n.saturating_sub(1));
        let precision = DVector::from_fn(n, |j, _| {
            if Some(j) == free {
                return LOOSE;
            }
            let sd = settings.prior.as_ref().and_then(|prior| prior.sd.get(j));
            sd.map_or(1.0, |sd| {
                (unit / (scale[j] * sd)).powi(2).clamp(1e-12, 1e12)
            })
        });
        Some(Self {
            a,
            b,
            scale,
            unit,
            mean,
            precision,
        })
    }

    /// `X'X + λΛ`, scaled.
    pub(super) fn with_prior(&self, lambda: f64) -> DMatrix<f64> {
        &self.a + DMatrix::from_diagonal(&(&self.precision * lambda.max(1e-12)))
    }

    /// The weights in their own units.
    pub(super) fn solve(&self, lambda: f64, guess: &mut Vec<bool>) -> DVector<f64> {
        let pull = self.precision.component_mul(&self.mean) * lambda.max(1e-12);
        let scaled = nnls::solve(&self.with_prior(lambda), &(&self.b + pull), guess);
        *guess = scaled.iter().map(|value| *value > 0.0).collect();
        scaled.component_div(&self.scale) * self.unit
    }
}

/// The weights that share by CPU time: one weight for all columns of time (and
/// the intercept, where there is one).
pub(super) fn time_share(gram: &Gram, settings: &Settings) -> DVector<f64> {
    let n = gram.columns();
    let time = DVector::from_fn(n, |j, _| f64::from(u8::from(settings.time.contains(&j))));
    let mut basis = vec![time];
    if settings.intercept && n > 0 {
        basis.push(DVector::from_fn(n, |j, _| f64::from(u8::from(j + 1 == n))));
    }
    let k = basis.len();
    // Scaled, so that the tolerances of the solver mean something.
    let size = |u: &DVector<f64>| {
        let square = (&gram.xx * u).dot(u);
        if square > 0.0 { square.sqrt() } else { 1.0 }
    };
    let basis: Vec<DVector<f64>> = basis.into_iter().map(|u| &u / size(&u)).collect();
    let mut a = DMatrix::from_fn(k, k, |i, j| (&gram.xx * &basis[j]).dot(&basis[i]));
    for j in 0..k {
        a[(j, j)] += 1e-12;
    }
    let b = DVector::from_fn(k, |j, _| gram.xy.dot(&basis[j]));
    let theta = nnls::solve(&a, &b, &[]);
    basis
        .iter()
        .zip(theta.iter())
        .fold(DVector::zeros(n), |sum, (u, weight)| sum + u * *weight)
}

/// The strength of the prior that predicts best, each of `folds` left out in
/// turn, and the squared error of its predictions. `None` for fewer than two
/// folds with rows.
pub(super) fn choose(folds: &[&Gram], settings: &Settings) -> Option<(f64, f64)> {
    let columns = folds.first()?.columns();
    let mut errors = [0.0; STRENGTHS.len()];
    let mut parts: Vec<[f64; STRENGTHS.len()]> = Vec::new();
    for (held, out) in folds.iter().enumerate() {
        if out.rows == 0 {
            continue;
        }
        let others = folds.iter().enumerate().filter(|(at, _)| *at != held);
        let rest = Gram::sum(columns, others.map(|(_, gram)| *gram));
        let Some(ridge) = Ridge::new(&rest, settings) else {
            continue;
        };
        let mut guess = Vec::new();
        let mut part = [0.0; STRENGTHS.len()];
        for ((sum, of), lambda) in errors.iter_mut().zip(&mut part).zip(STRENGTHS) {
            *of = out.squared_error(&ridge.solve(lambda, &mut guess));
            *sum += *of;
        }
        parts.push(part);
    }
    if parts.len() < 2 {
        return None;
    }
    // Of equals the stronger prior: it promises less.
    let places = (0..STRENGTHS.len()).rev();
    let best = places.min_by(|&one, &other| errors[one].total_cmp(&errors[other]))?;
    // Something that is known beforehand is only given up for what predicts
    // clearly better: the strongest prior within one standard error of the best
    // (Breiman et al., Classification and Regression Trees, 1984, 3.4.3).
    let margin = if settings.prior.is_some() {
        let count = parts.len() as f64;
        let mean = errors[best] / count;
        let squares = parts.iter().map(|part| (part[best] - mean).powi(2));
        (squares.sum::<f64>() / (count - 1.0) * count).sqrt()
    } else {
        0.0
    };
    let clear = |place: &usize| errors[*place] <= errors[best] + margin;
    let chosen = (0..STRENGTHS.len()).rev().find(clear).unwrap_or(best);
    Some((STRENGTHS[chosen], errors[chosen]))
}
