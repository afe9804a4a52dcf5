//! The terms of a model as columns, and the blocks of a run as rows.

use nalgebra::{DMatrix, DVector};

use crate::measurement::Counter;
use crate::power::{
    Accumulator, ErrorSum, Errors, Fit, PowerModel, Prior, Settings, Shape, Signal,
};

use super::super::columns::Columns;
use super::super::training_blocks::Block;
use super::blocks::CLUSTERS;
use super::rule::Term;

/// The terms of a saved model, if the recording has all their signals.
pub(super) fn saved(model: &PowerModel, columns: &Columns) -> Option<Vec<Term>> {
    let terms = model.terms.iter().map(|term| {
        Some(Term {
            column: columns.place(&term.signal)?,
            shape: term.shape,
            weight: term.weight,
        })
    });
    terms.collect()
}

/// One straight term for each signal that takes energy all the time. What a
/// wakeup or a migration costs is too little for a run to tell it from noise;
/// only a calibration knows it.
pub(super) fn linear(columns: &Columns) -> Vec<Term> {
    let steady = |signal: &Signal| signal.is_time() || signal.is_counted();
    let places = columns.signals().iter().enumerate();
    places
        .filter(|(_, signal)| steady(signal))
        .map(|(column, _)| Term {
            column,
            shape: Shape::Linear,
            weight: 0.0,
        })
        .collect()
}

/// The blocks of a run, as the terms of a model see them.
pub(super) struct Design<'a> {
    terms: &'a [Term],
    /// Which of the terms is that of cycles.
    cycles: Option<usize>,
    /// Shaped rates of the terms, then the rate of CPU time: what the model
    /// has to beat, a column apart, as the terms need not hold time.
    rows: Vec<(Vec<f64>, &'a Block)>,
}

/// A fit of the terms to the blocks.
pub(super) struct Fitted {
    pub(super) fit: Fit,
    /// What the run leaves open of the weights: their covariance, row by row.
    pub(super) open: Vec<f64>,
}

impl<'a> Design<'a> {
    pub(super) fn new(terms: &'a [Term], blocks: &'a [Block], columns: &Columns) -> Self {
        let times = columns.times();
        let row = |block: &Block| -> Vec<f64> {
            let whole = block.whole();
            let shaped = terms
                .iter()
                .map(|term| term.shape.of(whole[term.column] / block.seconds));
            let time = times.iter().map(|&time| whole[time]).sum::<f64>() / block.seconds;
            shaped.chain([time]).collect()
        };
        let sound = blocks.iter().filter(|block| block.seconds > 0.0);
        let cycles = columns.place(&Counter::Cycles.into());
        Self {
            terms,
            cycles: terms.iter().position(|term| Some(term.column) == cycles),
            rows: sound.map(|block| (row(block), block)).collect(),
        }
    }

    fn energy(&self) -> f64 {
        self.rows.iter().map(|(_, block)| block.energy).sum()
    }

    /// Errors of the terms with the weights that they have, and of CPU time, in
    /// watts. The weights have seen none of the blocks; both are scaled to the
    /// run's energy, as sharing does.
    pub(super) fn errors(&self) -> (Option<Errors>, Option<Errors>) {
        let model = |row: &[f64]| -> f64 {
            let terms = self.terms.iter().zip(row);
            terms.map(|(term, rate)| term.weight * rate).sum()
        };
        let time = |row: &[f64]| row.last().copied().unwrap_or(0.0);
        (self.errors_of(&model), self.errors_of(&time))
    }

    fn errors_of(&self, power: &dyn Fn(&[f64]) -> f64) -> Option<Errors> {
        let predicted = self
            .rows
            .iter()
            .map(|(row, block)| power(row) * block.seconds);
        let predicted: f64 = predicted.sum();
        let mut errors = ErrorSum::default();
        for (row, block) in self.rows.iter().filter(|_| predicted > 0.0) {
            let truth = block.energy / block.seconds;
            errors.push(truth, power(row) * self.energy() / predicted, block.seconds);
        }
        errors.errors()
    }

    /// Fits the weights of the terms to the blocks.
    pub(super) fn fit(&self) -> Option<Fitted> {
        let prior = self.prior()?;
        let settings = Settings {
            prior: Some(prior.clone()),
            ..Settings::above_idle(vec![self.terms.len()])
        };
        let mut accumulator = Accumulator::new(self.terms.len() + 1, settings);
        for (row, block) in &self.rows {
            accumulator.push(row, block.energy / block.seconds, block.seconds);
        }
        let fit = accumulator.fit()?;
        let open = self.open(&prior, fit.held_out.rmse);
        Some(Fitted { fit, open })
    }

    /// What the run leaves open of the weights, given what is known beforehand.
    /// `error` is that of the model on blocks it has not seen, in watts. (The
    /// strength that the fit gave to its prior does not count: it was chosen to
    /// predict power, not to say what is known.)
    fn open(&self, prior: &Prior, error: f64) -> Vec<f64> {
        let n = self.terms.len();
        let mut precision = DMatrix::<f64>::identity(n, n);
        let variance = error.powi(2).max(f64::MIN_POSITIVE) * CLUSTERS;
        for (row, _) in &self.rows {
            let scaled = DVector::from_fn(n, |at, _| row[at] * prior.sd[at]);
            precision += &scaled * scaled.transpose() / variance;
        }
        let Some(solved) = precision.cholesky() else {
            return Vec::new();
        };
        let inverse = solved.inverse();
        (0..n * n)
            .map(|at| inverse[(at / n, at % n)] * prior.sd[at / n] * prior.sd[at % n])
            .collect()
    }

    /// What is known of the weights before the run is seen: that cycles
    /// (or time) explain all of the energy, give or take that each signal may
    /// explain half of it.
    fn prior(&self) -> Option<Prior> {
        let n = self.terms.len();
        let energy = self.energy();
        if energy.is_nan() || energy <= 0.0 {
            return None;
        }
        let sum = |at: usize| -> f64 {
            let rows = self.rows.iter();
            rows.map(|(row, block)| row[at] * block.seconds).sum()
        };
        let sums: Vec<f64> = (0..=n).map(sum).collect();
        let whole = |at: usize| {
            if sums[at] > 0.0 {
                energy / sums[at]
            } else {
                1e-12
            }
        };
        let mut mean = vec![0.0; n + 1];
        let mut sd: Vec<f64> = (0..=n).map(|at| whole(at) * 0.5).collect();
        // The last column only serves as the model to beat.
        sd[n] = whole(n) * 1e-6;
        let leading = self.cycles.filter(|&at| sums[at] > 0.0).unwrap_or(0);
        mean[leading] = whole(leading);
        Some(Prior { mean, sd })
    }
}
