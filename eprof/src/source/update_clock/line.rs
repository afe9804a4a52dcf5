//! The first estimate of a clock: a straight line through updates.

/// A straight line through the times of updates, by their numbers.
pub(super) struct Line {
    /// Time per update.
    pub(super) slope: f64,
    /// Mean number.
    pub(super) middle: f64,
    /// Time at `middle`.
    height: f64,
    /// Number of the last update.
    pub(super) last: f64,
    /// How many updates it was fitted to.
    pub(super) count: f64,
    /// Σ (number − middle)².
    pub(super) spread: f64,
    /// Standard deviation of the residuals.
    pub(super) deviation: f64,
}

impl Line {
    pub(super) fn fit(updates: &[(f64, f64)], period: f64) -> Option<Self> {
        let mut number = 0.0;
        let mut before = updates.first()?.0;
        let points: Vec<(f64, f64)> = updates
            .iter()
            .map(|(at, _)| {
                number += ((at - before) / period).round();
                before = *at;
                (number, *at)
            })
            .collect();
        let count = points.len() as f64;
        let middle = points.iter().map(|point| point.0).sum::<f64>() / count;
        let height = points.iter().map(|point| point.1).sum::<f64>() / count;
        let spread: f64 = points.iter().map(|point| (point.0 - middle).powi(2)).sum();
        let slope = points
            .iter()
            .map(|point| (point.0 - middle) * (point.1 - height))
            .sum::<f64>()
            / spread;
        let squares: f64 = points
            .iter()
            .map(|point| (point.1 - height - slope * (point.0 - middle)).powi(2))
            .sum();
        (count > 2.0 && spread > 0.0 && slope.is_finite() && slope > 0.0).then(|| Self {
            slope,
            middle,
            height,
            last: number,
            count,
            spread,
            deviation: (squares / (count - 2.0)).sqrt(),
        })
    }

    pub(super) fn at(&self, number: f64) -> f64 {
        self.height + self.slope * (number - self.middle)
    }

    pub(super) fn residual(&self, update: &(f64, f64)) -> f64 {
        let number = (update.0 - self.height) / self.slope + self.middle;
        update.0 - self.at(number.round())
    }
}
