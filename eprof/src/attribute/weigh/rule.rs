//! The rules by which a meter's energy can be shared.

use crate::power::Shape;

use super::super::activity::Work;
use super::super::columns::{Row, WIDTH};

/// A term of a model, with the column of its signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) column: usize,
    pub(super) shape: Shape,
    /// Watts per unit of the shaped rate.
    pub(super) weight: f64,
}

/// What energy is divided by.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    /// Time on a CPU.
    Time,
    /// One signal.
    Column(usize),
    /// A power model.
    Model(Vec<Term>),
}

impl Rule {
    /// Joules per unit of each signal, while the rates are those of a span
    /// in which all together did `whole`. (For rules that are no model: any
    /// scale.)
    pub(super) fn unit_energies(&self, whole: &Row, seconds: f64) -> Row {
        let mut unit_energies = [0.0; WIDTH];
        match self {
            Self::Time => {}
            Self::Column(column) => unit_energies[*column] = 1e-9,
            Self::Model(terms) => {
                for term in terms {
                    let rate = whole[term.column] / seconds;
                    // A term of one signal is shared in proportion to it.
                    let energy = match rate > 0.0 {
                        true => term.weight * term.shape.of(rate) / rate,
                        false => term.weight * term.shape.of(1.0),
                    };
                    if energy.is_finite() {
                        unit_energies[term.column] += energy;
                    }
                }
            }
        }
        unit_energies
    }

    /// The energy that the rule expects of `work` at these energies per unit, in
    /// joules; for rules that are no model, in some unit.
    pub(super) fn energy(&self, work: &Work, unit_energies: &Row) -> f64 {
        match self {
            Self::Time => work.time as f64 * 1e-9,
            _ => work
                .row
                .iter()
                .zip(unit_energies)
                .map(|(x, energy)| x * energy)
                .sum(),
        }
    }
}
