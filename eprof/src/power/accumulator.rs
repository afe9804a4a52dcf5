//! A fit of rows that come one after the other, however many.

use nalgebra::DVector;

use super::errors::ErrorSum;
use super::fit::{self, Fit, FittedTerm};
use super::gram::Gram;
use super::health::Health;
use super::huber::huber;
use super::ridge::{self, Ridge};
use super::row::Row;
use super::rows::{self, LINEAR};
use super::settings::Settings;
use super::shape::Shape;

/// Rows kept as they are. As long as they are all there are, they are fitted
/// as such; later every second, fourth, … is kept to measure errors with.
const KEPT: usize = 4096;

/// Rows that wait for their Huber weights together.
const WAITING: usize = 256;

/// Rows of a block of a long run; blocks go to the folds in turn. A second, at
/// 50 ms a row.
const BLOCK: u64 = 20;

/// Strength of the prior while weights of rows are found.
const MEANWHILE: f64 = 1e-4;

/// Collects rows for a linear fit, in bounded memory:
/// O(folds × columns²), and a bounded number of rows.
#[derive(Clone, Debug)]
pub struct Accumulator {
    columns: usize,
    settings: Settings,
    /// Sound rows so far.
    seen: u64,
    /// One row of so many is kept.
    stride: u64,
    kept: Vec<Row>,
    waiting: Vec<Row>,
    folds: Vec<Gram>,
}

impl Accumulator {
    /// For rows of so many columns.
    pub fn new(columns: usize, settings: Settings) -> Self {
        let width = columns + usize::from(settings.intercept);
        Self {
            columns,
            seen: 0,
            stride: 1,
            kept: Vec::new(),
            waiting: Vec::new(),
            folds: vec![Gram::new(width); settings.folds.max(2)],
            settings,
        }
    }

    /// Adds a row: rates per second, the power beside them in watts, and a
    /// weight, e.g. the length of the row in seconds. `false` for a row that
    /// cannot be used: another number of columns, a rate that is negative or
    /// not finite, a weight that is not above zero.
    pub fn push(&mut self, row: &[f64], y: f64, weight: f64) -> bool {
        let fold = (self.seen / BLOCK) as usize % self.folds.len();
        let row = Row {
            x: row.to_vec(),
            y,
            weight,
            fold,
        };
        if row.x.len() != self.columns || !row.is_sound() {
            return false;
        }
        if self.seen.is_multiple_of(self.stride) {
            if self.kept.len() == KEPT {
                self.stride *= 2;
                let mut at = 0_u8;
                self.kept.retain(|_| {
                    at ^= 1;
                    at == 1
                });
            }
            if self.seen.is_multiple_of(self.stride) {
                self.kept.push(row.clone());
            }
        }
        self.waiting.push(row);
        if self.waiting.len() == WAITING {
            let waiting = std::mem::take(&mut self.waiting);
            absorb(&mut self.folds, waiting, &self.settings);
        }
        self.seen += 1;
        true
    }

    /// Number of rows so far.
    pub fn rows(&self) -> u64 {
        self.seen
    }

    /// The fit of all rows so far; `None` where nothing follows from them: too
    /// few, or no power in them.
    pub fn fit(&self) -> Option<Fit> {
        if self.stride == 1 {
            let mut rows = self.kept.clone();
            rows::contiguous(&mut rows, self.folds.len());
            return rows::fit(&rows, self.columns, &self.settings, LINEAR);
        }
        let mut folds = self.folds.clone();
        absorb(&mut folds, self.waiting.clone(), &self.settings);
        self.fit_grams(&folds)
    }

    fn fit_grams(&self, folds: &[Gram]) -> Option<Fit> {
        let settings = &self.settings;
        let width = self.columns + usize::from(settings.intercept);
        let all: Vec<&Gram> = folds.iter().collect();
        let (strength, _) = ridge::choose(&all, settings)?;
        let total = Gram::sum(width, folds);
        let theta = Ridge::new(&total, settings)?.solve(strength, &mut Vec::new());
        let (mut held_out, mut time_share) = (ErrorSum::default(), ErrorSum::default());
        for held in 0..folds.len() {
            let others = folds.iter().enumerate().filter(|(at, _)| *at != held);
            let others: Vec<&Gram> = others.map(|(_, gram)| gram).collect();
            let rest = Gram::sum(width, others.iter().copied());
            let chosen = ridge::choose(&others, settings).zip(Ridge::new(&rest, settings));
            let Some(((strength, _), ridge)) = chosen else {
                continue;
            };
            let weights = ridge.solve(strength, &mut Vec::new());
            let by_time = ridge::time_share(&rest, settings);
            for row in self.kept.iter().filter(|row| row.fold == held) {
                held_out.push(row.y, predict(&weights, row), row.weight);
                time_share.push(row.y, predict(&by_time, row), row.weight);
            }
        }
        let covariance = fit::covariance(folds, &total, settings, strength, &theta);
        let n = self.columns;
        let (covariance, intercept_sd) = fit::parts(covariance.as_ref(), n);
        Some(Fit {
            terms: (0..n)
                .map(|column| FittedTerm {
                    column,
                    shape: Shape::Linear,
                    weight: theta[column],
                })
                .collect(),
            intercept: theta.get(n).copied().unwrap_or(0.0),
            covariance,
            intercept_sd,
            verdict: rows::verdict(self.kept.len(), &held_out, &time_share),
            held_out: held_out.errors().unwrap_or_default(),
            time_share: time_share.errors().unwrap_or_default(),
            residual: held_out.relative_sd(),
            by_time: rows::per_time(&ridge::time_share(&total, settings), settings),
            by_time_residual: time_share.relative_sd(),
            health: Health::of(&total, n),
            strength,
            rows: total.rows,
        })
    }
}

fn predict(theta: &DVector<f64>, row: &Row) -> f64 {
    let rates = row.x.iter().copied().chain([1.0]);
    rates.zip(theta.iter()).map(|(x, weight)| x * weight).sum()
}

/// Adds rows to their folds, with the Huber weights that they have beside all
/// rows so far.
fn absorb(folds: &mut [Gram], rows: Vec<Row>, settings: &Settings) {
    let Some(width) = folds.first().map(Gram::columns) else {
        return;
    };
    let expand = |row: &Row| -> Vec<f64> {
        let intercept = settings.intercept.then_some(1.0);
        row.x.iter().copied().chain(intercept).collect()
    };
    let mut extra = vec![1.0; rows.len()];
    let before = Gram::sum(width, &*folds);
    for _ in 0..if settings.robust { 3 } else { 0 } {
        let mut total = before.clone();
        for (row, extra) in rows.iter().zip(&extra) {
            total.push(&expand(row), row.y, row.weight * extra);
        }
        let Some(ridge) = Ridge::new(&total, settings) else {
            break;
        };
        let theta = ridge.solve(MEANWHILE, &mut Vec::new());
        let off: Vec<f64> = rows
            .iter()
            .map(|row| row.y - predict(&theta, row))
            .collect();
        let Some(weights) = huber(&off) else {
            break;
        };
        extra = weights;
    }
    for (row, extra) in rows.iter().zip(&extra) {
        if let Some(gram) = folds.get_mut(row.fold) {
            gram.push(&expand(row), row.y, row.weight * extra);
        }
    }
}
