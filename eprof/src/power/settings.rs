//! What is known before a fit.

/// What a fit believes before it has seen a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// Expected weight of each column.
    pub mean: Vec<f64>,
    /// Standard deviation of each weight, above zero. What matters is how they
    /// compare with each other: cross-validation decides how
    /// much the data are believed beside them.
    pub sd: Vec<f64>,
}

/// What kind of fit is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The columns that are CPU time. Their sum alone is the model that a fit
    /// must beat (energy divided by time), and what it leans to where there is
    /// no other prior.
    pub time: Vec<usize>,
    /// Whether there may be power without any signal: for power that still
    /// holds the idle power.
    pub intercept: bool,
    /// What is known of the weights.
    pub prior: Option<Prior>,
    /// Parts of the data that are held out in turn.
    pub folds: usize,
    /// Whether rows far off get less weight (Huber, *Robust Estimation of a
    /// Location Parameter*, 1964).
    pub robust: bool,
}

impl Settings {
    /// A fit of power above idle, without a prior.
    pub fn above_idle(time: Vec<usize>) -> Self {
        Self {
            time,
            intercept: false,
            prior: None,
            folds: 10,
            robust: true,
        }
    }

    /// A fit of power that holds the idle power.
    pub fn with_idle(time: Vec<usize>) -> Self {
        Self {
            intercept: true,
            ..Self::above_idle(time)
        }
    }
}
