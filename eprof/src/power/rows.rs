//! A fit of rows that are all in memory: shapes, strength of the prior and
//! weights of rows are chosen, and the whole of that choice is cross-validated.

use std::collections::BTreeSet;

use nalgebra::DVector;

use super::errors::ErrorSum;
use super::fit::{self, Fit, FittedTerm, Verdict};
use super::gram::Gram;
use super::health::Health;
use super::huber::huber;
use super::ridge::{self, Ridge};
use super::row::Row;
use super::settings::Settings;
use super::shape::Shape;

/// Straight lines only.
pub const LINEAR: &[usize] = &[1];

/// Straight lines, or rising functions of so many straight pieces.
pub const SHAPED: &[usize] = &[1, 2, 3, 5, 8, 12];

/// A more complex shape must lower the squared error on rows left out by this
/// part.
const WORTH: f64 = 0.02;

/// Where the error is this part of the power (both squared), no meter could
/// distinguish a better shape.
const PERFECT: f64 = 1e-6;

/// More terms than this make a file that nobody can read.
const MOST_TERMS: usize = 64;

/// Fewer rows per term than this make a shape of noise.
const ROWS_PER_TERM: usize = 5;

/// From fewer rows than this, nothing follows about how well a fit predicts.
const FEWEST: usize = 20;

/// Which columns in which shapes.
#[derive(Clone, Debug)]
pub(super) struct Design {
    terms: Vec<(usize, Shape)>,
    pub(super) settings: Settings,
}

impl Design {
    pub(super) fn new(rows: &[&Row], columns: usize, pieces: usize, settings: &Settings) -> Self {
        let of = |column: usize| {
            let rates: Vec<f64> = rows
                .iter()
                .filter_map(|row| row.x.get(column).copied())
                .collect();
            let shapes = match pieces {
                0 | 1 => vec![Shape::Linear],
                _ => Shape::ramps(&rates, pieces),
            };
            shapes.into_iter().map(move |shape| (column, shape))
        };
        let terms: Vec<(usize, Shape)> = (0..columns).flat_map(of).collect();
        let spread = |values: &[f64]| terms.iter().map(|(j, _)| values[*j]).collect();
        let prior = settings.prior.as_ref();
        let settings = Settings {
            time: (0..terms.len())
                .filter(|term| settings.time.contains(&terms[*term].0))
                .collect(),
            prior: prior.map(|prior| super::settings::Prior {
                mean: spread(&prior.mean),
                sd: spread(&prior.sd),
            }),
            ..settings.clone()
        };
        Self { terms, settings }
    }

    fn len(&self) -> usize {
        self.terms.len() + usize::from(self.settings.intercept)
    }

    fn expand(&self, row: &Row, into: &mut Vec<f64>) {
        into.clear();
        let shaped = |(column, shape): &(usize, Shape)| shape.of(row.x[*column]);
        into.extend(self.terms.iter().map(shaped));
        if self.settings.intercept {
            into.push(1.0);
        }
    }

    /// One Gram per fold, of rows with these extra weights.
    fn grams(&self, rows: &[&Row], extra: &[f64]) -> Vec<Gram> {
        let folds = rows.iter().map(|row| row.fold + 1).max().unwrap_or(0);
        let mut grams = vec![Gram::new(self.len()); folds];
        let mut x = Vec::new();
        for (row, extra) in rows.iter().zip(extra) {
            self.expand(row, &mut x);
            grams[row.fold].push(&x, row.y, row.weight * extra);
        }
        grams.retain(|gram| gram.rows > 0);
        grams
    }

    fn predict(&self, row: &Row, theta: &DVector<f64>) -> f64 {
        let mut x = Vec::new();
        self.expand(row, &mut x);
        x.iter()
            .zip(theta.iter())
            .map(|(x, weight)| x * weight)
            .sum()
    }
}

/// What was chosen for some rows.
struct Trained {
    design: Design,
    strength: f64,
    theta: DVector<f64>,
    /// Extra weights of the rows.
    extra: Vec<f64>,
}

fn train(rows: &[&Row], columns: usize, settings: &Settings, pieces: &[usize]) -> Option<Trained> {
    let plain = vec![1.0; rows.len()];
    let mut best: Option<(Design, f64, f64)> = None;
    for &pieces in pieces {
        let design = Design::new(rows, columns, pieces, settings);
        let terms = design.len();
        if pieces > 1 && (terms > MOST_TERMS || terms * ROWS_PER_TERM > rows.len()) {
            break;
        }
        let grams = design.grams(rows, &plain);
        let folds: Vec<&Gram> = grams.iter().collect();
        let Some((strength, error)) = ridge::choose(&folds, &design.settings) else {
            continue;
        };
        let bar = best
            .as_ref()
            .map_or(f64::INFINITY, |best| best.2 * (1.0 - WORTH));
        if error < bar || best.is_none() {
            best = Some((design, strength, error));
        }
        if error <= PERFECT * grams.iter().map(|gram| gram.yy).sum::<f64>() {
            break;
        }
    }
    let (design, strength, _) = best?;
    let mut extra = plain;
    let mut theta = solve(&design, rows, &extra, strength)?;
    if settings.robust {
        for _ in 0..3 {
            let off: Vec<f64> = rows
                .iter()
                .map(|row| row.y - design.predict(row, &theta))
                .collect();
            let Some(weights) = huber(&off) else { break };
            extra = weights;
            theta = solve(&design, rows, &extra, strength)?;
        }
    }
    Some(Trained {
        design,
        strength,
        theta,
        extra,
    })
}

fn solve(design: &Design, rows: &[&Row], extra: &[f64], strength: f64) -> Option<DVector<f64>> {
    let total = Gram::sum(design.len(), &design.grams(rows, extra));
    Some(Ridge::new(&total, &design.settings)?.solve(strength, &mut Vec::new()))
}

/// Fits `rows` of `columns` columns with shapes of so many pieces as
/// cross-validation likes best. Rows that are not sound are left out. `None`
/// where there is nothing to fit.
pub fn fit(rows: &[Row], columns: usize, settings: &Settings, pieces: &[usize]) -> Option<Fit> {
    let sound = |row: &&Row| row.is_sound() && row.x.len() == columns;
    let rows: Vec<&Row> = rows.iter().filter(sound).collect();
    let whole = train(&rows, columns, settings, pieces)?;
    let mut held_out = ErrorSum::default();
    let mut time_share = ErrorSum::default();
    let folds: BTreeSet<usize> = rows.iter().map(|row| row.fold).collect();
    for fold in folds {
        let (out, rest): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.fold == fold);
        let linear = Design::new(&rest, columns, 1, settings);
        let plain = vec![1.0; rest.len()];
        let gram = Gram::sum(linear.len(), &linear.grams(&rest, &plain));
        let by_time = ridge::time_share(&gram, &linear.settings);
        let Some(trained) = train(&rest, columns, settings, pieces) else {
            continue;
        };
        for row in out {
            held_out.push(
                row.y,
                trained.design.predict(row, &trained.theta),
                row.weight,
            );
            time_share.push(row.y, linear.predict(row, &by_time), row.weight);
        }
    }
    let linear = Design::new(&rows, columns, 1, settings);
    let gram = Gram::sum(linear.len(), &linear.grams(&rows, &vec![1.0; rows.len()]));
    let by_time = ridge::time_share(&gram, &linear.settings);
    Some(Fit {
        by_time: per_time(&by_time, settings),
        health: Health::of(&gram, columns),
        ..conclude(&rows, &whole, &held_out, &time_share)
    })
}

fn conclude(rows: &[&Row], whole: &Trained, held_out: &ErrorSum, time_share: &ErrorSum) -> Fit {
    let Trained {
        design,
        strength,
        theta,
        extra,
    } = whole;
    let grams = design.grams(rows, extra);
    let total = Gram::sum(design.len(), &grams);
    let terms: Vec<FittedTerm> = design
        .terms
        .iter()
        .zip(theta.iter())
        .map(|(&(column, shape), &weight)| FittedTerm {
            column,
            shape,
            weight,
        })
        .collect();
    let n = terms.len();
    let covariance = fit::covariance(&grams, &total, &design.settings, *strength, theta);
    let (covariance, intercept_sd) = fit::parts(covariance.as_ref(), n);
    Fit {
        intercept: theta.get(n).copied().unwrap_or(0.0),
        covariance,
        intercept_sd,
        held_out: held_out.errors().unwrap_or_default(),
        time_share: time_share.errors().unwrap_or_default(),
        residual: held_out.relative_sd(),
        by_time: 0.0,
        by_time_residual: time_share.relative_sd(),
        health: Health::default(),
        strength: *strength,
        rows: total.rows,
        verdict: verdict(rows.len(), held_out, time_share),
        terms,
    }
}

/// The weight of time in the weights that share by time.
pub(super) fn per_time(weights: &DVector<f64>, settings: &Settings) -> f64 {
    let first = settings.time.first().and_then(|at| weights.get(*at));
    first.copied().unwrap_or(0.0)
}

pub(super) fn verdict(rows: usize, held_out: &ErrorSum, time_share: &ErrorSum) -> Verdict {
    if rows < FEWEST || held_out.errors().is_none() {
        Verdict::TooFewRows
    } else if held_out.square() < time_share.square() {
        Verdict::Better
    } else {
        Verdict::TimeShareIsBetter
    }
}

/// Puts rows into `folds` contiguous blocks of about the same number of rows.
pub fn contiguous(rows: &mut [Row], folds: usize) {
    let n = rows.len().max(1);
    for (at, row) in rows.iter_mut().enumerate() {
        row.fold = at * folds / n;
    }
}
