//! Whether the columns of a fit can be told apart.

use nalgebra::DMatrix;

use super::gram::Gram;
use super::row::Row;

/// A column is collinear where the others explain all of it but one part in
/// so many (its variance inflation factor; Marquardt, Technometrics 12, 1970).
/// Textbooks warn from 10 on; the prior copes with far more, and at this value
/// two weights cannot be told apart even with a meter of 0.1 % noise.
const INFLATION: f64 = 1e3;

/// What the columns are like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// Columns that are zero throughout.
    pub zero: Vec<usize>,
    /// Columns that are sums of the columns before them, or nearly so.
    pub collinear: Vec<usize>,
    /// Ratio of the largest to the smallest singular value of the columns
    /// that are not zero, each scaled to length 1 (Belsley, Kuh and Welsch,
    /// *Regression Diagnostics*, 1980); infinite where one is the sum of
    /// others.
    pub condition: f64,
}

impl Health {
    /// Of rows with so many columns; rows that are not sound are left out.
    pub fn of_rows(rows: &[Row], columns: usize) -> Self {
        let mut gram = Gram::new(columns);
        for row in rows.iter().filter(|row| row.is_sound()) {
            if row.x.len() == columns {
                gram.push(&row.x, row.y, row.weight);
            }
        }
        Self::of(&gram, columns)
    }

    /// Of the first `columns` columns of `gram`.
    pub fn of(gram: &Gram, columns: usize) -> Self {
        let square = |j: usize| gram.xx[(j, j)];
        let (zero, live): (Vec<usize>, Vec<usize>) =
            (0..columns.min(gram.columns())).partition(|&j| square(j) <= 0.0);
        let cosine = DMatrix::from_fn(live.len(), live.len(), |i, j| {
            gram.xx[(live[i], live[j])] / (square(live[i]) * square(live[j])).sqrt()
        });
        let mut collinear = Vec::new();
        let mut kept: Vec<usize> = Vec::new();
        for (position, &column) in live.iter().enumerate() {
            // What the columns kept so far leave unexplained of this one.
            let with: Vec<usize> = kept.iter().copied().chain([position]).collect();
            let part = cosine.select_rows(&with).select_columns(&with);
            let rest = part
                .cholesky()
                .map_or(0.0, |root| root.l()[(kept.len(), kept.len())].powi(2));
            if rest * INFLATION < 1.0 {
                collinear.push(column);
            } else {
                kept.push(position);
            }
        }
        let values = cosine.symmetric_eigenvalues();
        let condition = match (
            values.iter().copied().reduce(f64::max),
            values.iter().copied().reduce(f64::min),
        ) {
            (Some(most), Some(least)) if least > 1e-14 * most => (most / least).sqrt(),
            (None, _) => 1.0,
            _ => f64::INFINITY,
        };
        Self {
            zero,
            collinear,
            condition,
        }
    }
}
