//! Mean, median and spread of a few values.

/// Mean and standard deviation (of a sample, `n − 1`); the latter needs two
/// values.
pub(super) fn moments(values: &[f64]) -> Option<(f64, Option<f64>)> {
    if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let sd = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
    mean.is_finite().then_some((mean, sd))
}

/// The middle of `values`, half-way between two for an even number of them.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get((sorted.len() / 2).checked_sub(1)?)?;
    Some(lower + (upper - lower) / 2.0)
}
