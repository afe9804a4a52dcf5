//! Sums of products of rows: all of the data that a least-squares fit needs.

use nalgebra::{DMatrix, DVector};

/// `Σ w·x·x'`, `Σ w·x·y` and their like over some rows. Its size depends on
/// the number of columns only, and two of them can be added.
#[derive(Clone, Debug, PartialEq)]
pub struct Gram {
    /// Number of rows.
    pub(super) rows: u64,
    /// Sum of the rows' weights.
    pub(super) weight: f64,
    /// `Σ w·y²`
    pub(super) yy: f64,
    /// `Σ w·x·y`
    pub(super) xy: DVector<f64>,
    /// `Σ w·x·x'`
    pub(super) xx: DMatrix<f64>,
}

impl Gram {
    /// Of no rows, with so many columns.
    pub fn new(columns: usize) -> Self {
        Self {
            rows: 0,
            weight: 0.0,
            yy: 0.0,
            xy: DVector::zeros(columns),
            xx: DMatrix::zeros(columns, columns),
        }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.xy.len()
    }

    /// Adds a row.
    pub fn push(&mut self, x: &[f64], y: f64, weight: f64) {
        debug_assert_eq!(x.len(), self.columns());
        self.rows += 1;
        self.weight += weight;
        self.yy += weight * y * y;
        for (k, &b) in x.iter().enumerate() {
            let weighted = weight * b;
            // Ramps and steps are zero most of the time.
            if weighted.to_bits() << 1 == 0 {
                continue;
            }
            self.xy[k] += weighted * y;
            for (j, &a) in x.iter().enumerate() {
                self.xx[(j, k)] += a * weighted;
            }
        }
    }

    /// Adds the rows of another one with the same columns.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.weight += other.weight;
        self.yy += other.yy;
        self.xy += &other.xy;
        self.xx += &other.xx;
    }

    /// The sum of several with `columns` columns.
    pub fn sum<'a>(columns: usize, grams: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::new(columns);
        for gram in grams {
            sum.add(gram);
        }
        sum
    }

    /// `Σ w·(y − x'θ)²`, never negative.
    pub fn squared_error(&self, theta: &DVector<f64>) -> f64 {
        let explained = (&self.xx * theta).dot(theta) - 2.0 * self.xy.dot(theta);
        (self.yy + explained).max(0.0)
    }

    /// Root mean square of each column; 1 for a column of zeros.
    pub(super) fn scales(&self) -> DVector<f64> {
        DVector::from_fn(self.columns(), |j, _| {
            let mean = self.xx[(j, j)] / self.weight;
            if mean > 0.0 { mean.sqrt() } else { 1.0 }
        })
    }
}
