//! A row of a fit.

/// One row: rates of signals, and the power beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Rates of the columns, per second; none negative.
    pub x: Vec<f64>,
    /// Power in watts.
    pub y: f64,
    /// Weight, e.g. the length of the row in seconds; above zero.
    pub weight: f64,
    /// The part of the data that it is left out with: rows that are alike
    /// belong into one.
    pub fold: usize,
}

impl Row {
    /// Whether its numbers are such that it can be used.
    pub fn is_sound(&self) -> bool {
        let sound = |value: f64| value.is_finite() && value >= 0.0;
        self.x.iter().all(|x| sound(*x))
            && self.y.is_finite()
            && self.weight.is_finite()
            && self.weight > 0.0
    }
}
