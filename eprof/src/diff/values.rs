//! One row of every run of a side.

use super::metric::{METRICS, Metric};

/// One row of every run.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// By metric, one per run: microjoules, nanoseconds on CPUs, instructions.
    runs: [Vec<f64>; METRICS],
    /// Standard deviations of the last run's values, as far as they are known
    /// from within the run.
    pub(super) errors: [Option<f64>; METRICS],
}

impl Default for Values {
    fn default() -> Self {
        Self::nothing(0)
    }
}

impl Values {
    /// Of so many runs, none of which has anything: that is certain.
    pub fn nothing(runs: usize) -> Self {
        Self {
            runs: Metric::ALL.map(|_| vec![0.0; runs]),
            errors: [Some(0.0); METRICS],
        }
    }

    /// The same number for every metric, one per run, without errors.
    pub(super) fn alike(values: &[f64]) -> Self {
        Self {
            runs: Metric::ALL.map(|_| values.to_vec()),
            errors: [None; METRICS],
        }
    }

    /// The values of a metric, one per run.
    pub fn of(&self, metric: Metric) -> &[f64] {
        &self.runs[metric as usize]
    }

    /// The standard deviation of the last run's value, where it is known from
    /// within the run.
    pub fn error(&self, metric: Metric) -> Option<f64> {
        self.errors[metric as usize]
    }

    /// Adds to the values of the run in place `run`, by metric.
    pub(super) fn add(&mut self, run: usize, values: [f64; METRICS]) {
        // It was not there in the runs before.
        self.fill_up(self.len().max(run + 1));
        for (runs, value) in self.runs.iter_mut().zip(values) {
            runs[run] += value;
        }
    }

    /// Makes it one of so many runs: it was not there in the last ones.
    pub fn fill_up(&mut self, runs: usize) {
        for values in &mut self.runs {
            values.resize(runs, 0.0);
        }
    }

    fn len(&self) -> usize {
        self.runs.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Adds other rows of the same runs, whose errors are independent.
    pub fn merge(&mut self, more: &Self) {
        self.fill_up(self.len().max(more.len()));
        for (sums, more) in self.runs.iter_mut().zip(&more.runs) {
            for (sum, more) in sums.iter_mut().zip(more) {
                *sum += more;
            }
        }
        for (sum, more) in self.errors.iter_mut().zip(more.errors) {
            *sum = sum.zip(more).map(|(sum, more)| sum.hypot(more));
        }
    }
}
