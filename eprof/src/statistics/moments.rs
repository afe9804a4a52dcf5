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

/// The median absolute deviation of normal values is their standard deviation
/// divided by this.
pub const MAD_TO_SD: f64 = 1.4826;

/// The middle of `values`, half-way between two for an even number of them.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get((sorted.len() / 2).checked_sub(1)?)?;
    Some(lower + (upper - lower) / 2.0)
}

/// The middle of `values`, the upper of two for an even number of them. Unlike
/// [`median`], it is always one of the values: half-way between one period of
/// a clock and two there is none.
pub fn upper_median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// The median of `values`, and their standard deviation by the median absolute
/// deviation, which a few outliers do not change.
pub fn median_and_deviation(values: &[f64]) -> Option<(f64, f64)> {
    let middle = median(values)?;
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    Some((middle, median(&distances)? * MAD_TO_SD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_number_of_values_has_two_in_the_middle() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(median(&values), Some(2.5));
        assert_eq!(upper_median(&values), Some(3.0));
        assert_eq!(median(&values[..3]), Some(3.0));
        assert_eq!(upper_median(&values[..3]), Some(3.0));
        assert_eq!(median(&[]), None);
        assert_eq!(upper_median(&[]), None);
    }

    #[test]
    fn an_outlier_does_not_widen_the_deviation() {
        let values = [9.0, 10.0, 11.0, 10.0, 1e9];
        assert_eq!(median_and_deviation(&values), Some((10.0, MAD_TO_SD)));
    }
}
