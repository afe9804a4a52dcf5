//! Values that do not belong to the rest.
//!
//! A value's modified z-score is `0.6745 (x − median) / MAD` (Iglewicz and
//! Hoaglin, How to Detect and Handle Outliers, 1993), MAD being the median of
//! the distances from the median. Their limit of 3.5 finds an outlier in every
//! tenth set of normal values, and of ten values in every eighth. This limit,
//! `4 + 30/n`, finds one in about every hundredth of ten values or more, and
//! in one of thirty of five (20 000 draws each).

use super::moments::{MAD_TO_SD, median, moments};

/// Of fewer values, none is usual enough to call another an outlier.
pub const FEWEST: usize = 5;

/// The mean distance from the median of normal values, in standard
/// deviations: √(2/π).
const MEAN_DISTANCE: f64 = 0.797_884_560_802_865;

/// The positions of the outliers in `values`, ascending.
pub fn outliers(values: &[f64]) -> Vec<usize> {
    let spread = |middle: f64| {
        let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
        match median(&distances) {
            Some(mad) if mad > 0.0 => Some(mad * MAD_TO_SD),
            // More than half of the values are equal.
            _ => moments(&distances).map(|(mean, _)| mean / MEAN_DISTANCE),
        }
    };
    if values.len() < FEWEST || moments(values).is_none() {
        return Vec::new();
    }
    let Some(middle) = median(values) else {
        return Vec::new();
    };
    let limit = 4.0 + 30.0 / values.len() as f64;
    let Some(sd) = spread(middle).filter(|sd| *sd > 0.0) else {
        return Vec::new();
    };
    let far = |value: f64| (value - middle).abs() > limit * sd;
    (0..values.len()).filter(|at| far(values[*at])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_far_off_is_an_outlier() {
        let mut values = vec![10.0, 10.1, 9.9, 10.05, 9.95, 10.02, 9.97, 10.08];
        assert!(outliers(&values).is_empty());
        values.insert(3, 13.0);
        values.push(7.5);
        assert_eq!(outliers(&values), [3, 9]);
    }

    #[test]
    fn equal_values_have_no_outlier_but_one_that_differs_from_them() {
        assert!(outliers(&[4.0; 12]).is_empty());
        let mut values = vec![4.0; 30];
        values[17] = 5.0;
        assert_eq!(outliers(&values), [17]);
    }

    #[test]
    fn of_few_values_none_is_an_outlier() {
        assert!(outliers(&[1.0, 1.0, 1.01, 90.0]).is_empty());
        assert!(outliers(&[]).is_empty());
        assert!(outliers(&[1.0, 1.1, f64::NAN, 1.0, 1.2, 1.1]).is_empty());
    }
}
