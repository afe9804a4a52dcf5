//! Rows of both sides, matched, each with its contrast.

use std::collections::BTreeSet;

use crate::statistics::{Confidence, Contrast, Interval, Verdict, holm};

use super::key::{By, Key};
use super::metric::Metric;
use super::side::Side;
use super::values::Values;

/// Rows with less than this part of the target on both sides together are not
/// tested (and cannot be called changed): they would make the correction for
/// many rows stricter for the rows that matter. What is left out does not
/// depend on how the sides differ, so it spoils no probability (Bourgon,
/// Gentleman and Huber, PNAS 107, 2010).
pub const LEAST_SHARE: f64 = 0.002;

/// One row of both sides.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub key: Key,
    /// Mean of the base's runs, in the unit of the metric.
    pub base: f64,
    /// Mean of the new side's runs.
    pub new: f64,
    /// How the two compare; `None` where nothing is known of their errors.
    pub contrast: Option<Contrast>,
    /// At which confidence it was tested, corrected for many rows; `None` for
    /// rows that are too small to be tested.
    pub tested: Option<Confidence>,
}

impl Row {
    /// New less base.
    pub fn difference(&self) -> f64 {
        self.new - self.base
    }

    /// New divided by base; `None` where the base is nothing.
    pub fn ratio(&self) -> Option<f64> {
        (self.base > 0.0).then(|| self.new / self.base)
    }

    /// The interval of the difference, at the level at which it was tested.
    pub fn difference_interval(&self) -> Option<Interval> {
        let interval = self.contrast?.difference_interval(self.tested?);
        Some(interval)
    }

    /// The interval of the ratio, at the level at which it was tested.
    pub fn ratio_interval(&self) -> Option<Interval> {
        self.contrast?.ratio_interval(self.tested?)
    }

    /// Whether it has changed, and which way.
    pub fn verdict(&self) -> Verdict {
        match (self.contrast, self.tested) {
            (Some(contrast), Some(confidence)) => contrast.verdict(confidence),
            _ => Verdict::Undetected,
        }
    }

    /// Whether it has changed.
    pub fn changed(&self) -> bool {
        self.verdict() != Verdict::Undetected
    }
}

/// All rows of a kind.
#[derive(Clone, Debug)]
pub struct Table {
    /// What they are; `None`: the target and its domains.
    pub by: Option<By>,
    /// Largest difference first.
    pub rows: Vec<Row>,
    /// How many of them were tested.
    pub tested: usize,
}

/// How the runs of both sides are set against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairing {
    Independent,
    /// The n-th run of one side belongs to the n-th of the other.
    Blocked,
}

/// The contrast of two rows.
pub(super) fn contrast(
    metric: Metric,
    (base, new): (&Values, &Values),
    pairing: Pairing,
) -> Option<Contrast> {
    let (old, fresh) = (base.of(metric), new.of(metric));
    if let ([old], [fresh]) = (old, fresh) {
        let (base, new) = (base.error(metric)?, new.error(metric)?);
        return Contrast::single((*old, base), (*fresh, new));
    }
    match pairing {
        Pairing::Blocked => Contrast::blocked(old, fresh),
        Pairing::Independent => Contrast::independent(old, fresh),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// A row of `base` and `new`, each of so many runs, not yet tested.
pub(super) fn row(
    key: &Key,
    metric: Metric,
    (base, new): (Option<&Values>, Option<&Values>),
    runs: (usize, usize),
    pairing: Pairing,
) -> Row {
    // A row that one side lacks took nothing there.
    let base = base.cloned().unwrap_or_else(|| Values::nothing(runs.0));
    let new = new.cloned().unwrap_or_else(|| Values::nothing(runs.1));
    Row {
        key: key.clone(),
        base: mean(base.of(metric)),
        new: mean(new.of(metric)),
        contrast: contrast(metric, (&base, &new), pairing),
        tested: None,
    }
}

/// All rows of a kind, tested together.
pub(super) fn table(
    by: By,
    metric: Metric,
    (base, new): (&Side, &Side),
    whole: f64,
    confidence: Confidence,
    pairing: Pairing,
) -> Table {
    let keys: BTreeSet<&Key> = base
        .rows(by)
        .chain(new.rows(by))
        .map(|(key, _)| key)
        .collect();
    let rows = keys.into_iter().map(|key| {
        let values = (base.find(by, key), new.find(by, key));
        row(key, metric, values, (base.runs, new.runs), pairing)
    });
    let mut rows: Vec<Row> = rows.collect();
    let tested = test(&mut rows, confidence, LEAST_SHARE * whole);
    // Stable: ties stay in the order of their names.
    rows.sort_by(|a, b| b.difference().abs().total_cmp(&a.difference().abs()));
    Table {
        by: Some(by),
        rows,
        tested,
    }
}

/// Tests those `rows` together of which both sides add up to at least `least`.
pub(super) fn test(rows: &mut [Row], confidence: Confidence, least: f64) -> usize {
    let large = |row: &Row| row.contrast.is_some() && row.base + row.new >= least;
    let places: Vec<usize> = (0..rows.len()).filter(|at| large(&rows[*at])).collect();
    let p = |at: &usize| rows[*at].contrast.map_or(1.0, |contrast| contrast.p());
    let p: Vec<f64> = places.iter().map(p).collect();
    for (at, level) in places.iter().zip(holm(&p, confidence.alpha())) {
        rows[*at].tested = Confidence::of_alpha(level);
    }
    places.len()
}
