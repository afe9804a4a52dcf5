//! How far the power of each consumer is from what the rule says.

use std::collections::BTreeMap;

use nalgebra::{DMatrix, DVector};

use super::super::activity::Consumer;

/// Factors of consumers: the power they really have, divided by the rule's, as
/// far as the run shows. Where it shows nothing, a factor stays at one, give or
/// take what is usual.
#[derive(Clone, Debug, Default)]
pub(super) struct Factors {
    /// Which of the factors below is whose; the others share the last.
    pub(super) places: BTreeMap<Consumer, usize>,
    /// The factors, and their covariance.
    pub(super) mean: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
    /// Variance of a factor's share of what no factor explains, relative to
    /// the consumer's energy.
    pub(super) unexplained: DVector<f64>,
    /// Standard deviation of factors about which nothing is known.
    pub(super) usual: f64,
    /// How much likelier the blocks are with these factors than if the rule
    /// were right for all consumers; logarithm.
    pub(super) gain: f64,
}

impl Factors {
    fn place(&self, consumer: Consumer) -> Option<usize> {
        let last = self.mean.len().checked_sub(1)?;
        Some(self.places.get(&consumer).copied().unwrap_or(last))
    }

    /// The factor of a consumer, if there are any.
    pub(super) fn of(&self, consumer: Consumer) -> Option<f64> {
        self.place(consumer).map(|place| self.mean[place])
    }

    /// Error to be expected of the sum of `parts` and its variance; `applied`
    /// says that the parts were divided by these factors.
    pub(super) fn spread(&self, parts: &[(Consumer, f64)], applied: bool) -> (f64, f64) {
        let mut by_place = DVector::zeros(self.mean.len());
        let (mut bias, mut alone) = (0.0, 0.0);
        for &(consumer, part) in parts {
            let Some(place) = self.place(consumer) else {
                alone += (self.usual * part).powi(2);
                continue;
            };
            let factor = self.mean[place];
            if applied {
                by_place[place] += part / factor;
            } else {
                by_place[place] += part;
                bias += part * (factor - 1.0);
            }
            alone += self.unexplained[place] * part * part;
            if !self.places.contains_key(&consumer) {
                alone += (self.usual * part).powi(2);
            }
        }
        let common = (&self.covariance * &by_place).dot(&by_place);
        (bias, common.max(0.0) + alone)
    }
}
