//! Non-negative least squares on the normal equations.
//!
//! Lawson and Hanson's active-set algorithm (*Solving Least Squares Problems*,
//! 1974, chapter 23) in the form of Bro and de Jong (*A fast
//! non-negativity-constrained least squares algorithm*, J. Chemometrics 11,
//! 1997), which needs `X'X` and `X'y` only and can start from a guess of the
//! columns that will be positive.

use nalgebra::{DMatrix, DVector};

/// Minimises `θ'Aθ − 2b'θ` over `θ ≥ 0`; `a` is symmetric and should be
/// positive definite (a column that makes it singular stays at zero). `guess`
/// names columns that are likely positive; it changes the effort, not the
/// result.
pub(super) fn solve(a: &DMatrix<f64>, b: &DVector<f64>, guess: &[bool]) -> DVector<f64> {
    let n = b.len();
    let mut passive: Vec<bool> = (0..n)
        .map(|j| guess.get(j).copied().unwrap_or(false))
        .collect();
    let mut theta = feasible(a, b, &mut passive);
    let mut barred = vec![false; n];
    let tolerance = 1e-11 * b.amax();
    // Each step lowers the objective, so that no set of columns comes twice;
    // the bound is for rounding only.
    for _ in 0..(10 * n + 10) {
        let gradient = b - a * &theta;
        let open = (0..n).filter(|&j| !passive[j] && !barred[j] && gradient[j] > tolerance);
        let Some(entering) = open.max_by(|&i, &j| gradient[i].total_cmp(&gradient[j])) else {
            break;
        };
        passive[entering] = true;
        let before = theta.clone();
        if descend(a, b, &mut passive, &mut theta, entering) {
            barred.fill(false);
        } else {
            theta = before;
            passive = theta.iter().map(|value| *value > 0.0).collect();
            barred[entering] = true;
        }
    }
    theta
}

/// Shrinks `passive` until the solution on it is positive.
fn feasible(a: &DMatrix<f64>, b: &DVector<f64>, passive: &mut [bool]) -> DVector<f64> {
    while passive.contains(&true) {
        let Some(theta) = on(a, b, passive) else {
            passive.fill(false);
            break;
        };
        let mut changed = false;
        for (member, value) in passive.iter_mut().zip(theta.iter()) {
            if *member && *value <= 0.0 {
                *member = false;
                changed = true;
            }
        }
        if !changed {
            return theta;
        }
    }
    DVector::zeros(b.len())
}

/// Goes from `theta` to the minimum on `passive`, dropping the columns that
/// reach zero on the way. `false` where the entering column does not help.
fn descend(
    a: &DMatrix<f64>,
    b: &DVector<f64>,
    passive: &mut [bool],
    theta: &mut DVector<f64>,
    entering: usize,
) -> bool {
    let mut first = true;
    while let Some(goal) = on(a, b, passive) {
        if first && goal[entering] <= 0.0 {
            return false;
        }
        first = false;
        let blocking = (0..goal.len())
            .filter(|&j| passive[j] && goal[j] <= 0.0)
            .map(|j| (j, theta[j] / (theta[j] - goal[j])))
            .min_by(|one, other| one.1.total_cmp(&other.1));
        let Some((blocking, part)) = blocking else {
            *theta = goal;
            return true;
        };
        *theta += (&goal - &*theta) * part;
        theta[blocking] = 0.0;
        for (member, value) in passive.iter_mut().zip(theta.iter_mut()) {
            if *value <= 0.0 {
                *value = 0.0;
                *member = false;
            }
        }
    }
    false
}

/// The minimum over the columns of `passive`, the others being zero.
fn on(a: &DMatrix<f64>, b: &DVector<f64>, passive: &[bool]) -> Option<DVector<f64>> {
    let members: Vec<usize> = (0..passive.len()).filter(|&j| passive[j]).collect();
    let part = a.select_rows(&members).select_columns(&members);
    let solution = part.cholesky()?.solve(&b.select_rows(&members));
    let mut theta = DVector::zeros(b.len());
    for (value, &j) in solution.iter().zip(&members) {
        theta[j] = *value;
    }
    theta.iter().all(|value| value.is_finite()).then_some(theta)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The conditions of Karush, Kuhn and Tucker, which only the minimum
        /// fulfils.
        #[test]
        fn the_result_is_the_minimum(
            x in prop::collection::vec(-1.0_f64..1.0, 7 * 5),
            b in prop::collection::vec(-1.0_f64..1.0, 5),
            guess: [bool; 5],
        ) {
            let x = DMatrix::from_vec(7, 5, x);
            let a = x.transpose() * x + DMatrix::identity(5, 5) * 1e-3;
            let b = DVector::from_vec(b);
            let theta = solve(&a, &b, &guess);
            let gradient = &b - &a * &theta;
            for (value, slope) in theta.iter().zip(gradient.iter()) {
                prop_assert!(*value >= 0.0);
                prop_assert!(*slope < 1e-8, "it could be lower: {theta} {gradient}");
                prop_assert!(*value <= 0.0 || slope.abs() < 1e-8, "{theta} {gradient}");
            }
        }
    }
}
