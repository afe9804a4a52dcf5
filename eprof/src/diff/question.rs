//! What is asked of two sides.

use crate::statistics::Confidence;

use super::metric::MetricChoice;

/// What is asked of two sides.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is compared.
    pub metric: MetricChoice,
    /// How sure "changed" is, over all rows of a kind together.
    pub confidence: Confidence,
    /// What is gated: an increase above this part (0.03: 3 %).
    pub fail_above: Option<f64>,
    /// Functions whose increase is gated, each with what it calls; none: the
    /// whole target.
    pub functions: Vec<String>,
}
