//! The gate of a CI job: has something increased by more than is allowed?
//!
//! It is exceeded only where the whole interval of the increase, at the stated
//! confidence, lies above the limit. So a change that is within the limit
//! fails a job at most once in `2/α` runs, whatever the noise, and a job that
//! failed can be believed; a gate that also failed where the estimate is above
//! the limit and the increase merely above zero would fail every other time
//! for a change of just the limit. What this costs is that an increase
//! slightly above the limit is not proved by few runs. So there is a third
//! outcome, undecided, which passes but says so, with the number of runs that
//! would decide.

use crate::error::{Error, ErrorKind, Result};
use crate::statistics::{Confidence, Contrast, Interval, USUAL_POWER};

use super::key::{By, Key};
use super::metric::Metric;
use super::question::Question;
use super::rows::{Pairing, Row, row};
use super::side::Side;
use super::values::Values;

/// Fewest runs of each side that a gate can be decided by.
const FEWEST_RUNS: usize = 2;

/// What became of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The increase is not above the limit, nor can it be.
    Pass,
    /// The increase may be above the limit.
    Undecided,
    /// The increase is above the limit.
    Exceeded,
}

/// One thing that is gated.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The function; `None`: the target.
    pub function: Option<String>,
    /// The limit of the increase (0.03: 3 %).
    pub limit: f64,
    /// Both sides.
    pub row: Row,
}

impl Gate {
    pub(super) fn all(
        limit: f64,
        metric: Metric,
        total: &Row,
        (base, new): (&Side, &Side),
        question: &Question,
        pairing: Pairing,
    ) -> Result<Vec<Self>> {
        if base.runs < FEWEST_RUNS || new.runs < FEWEST_RUNS {
            return Err(Error::new(
                ErrorKind::Usage,
                format!(
                    "a gate needs at least {FEWEST_RUNS} recordings of each side: one alone does \
                     not tell how much runs differ"
                ),
            )
            .hint(
                "eprof stat -r 10 -F 997 --save DIR -- OLD -- NEW, and compare the directories in it",
            ));
        }
        let names = &question.functions;
        if names.is_empty() {
            return Ok(vec![Self {
                function: None,
                limit,
                row: total.clone(),
            }]);
        }
        // Any of them may fail the job: each gets its part of α.
        let alpha = question.confidence.alpha() / names.len() as f64;
        let tested = Confidence::of_alpha(alpha);
        let gates = names.iter().map(|name| {
            let (old, fresh) = (within(base, name), within(new, name));
            if old.is_none() && fresh.is_none() {
                return Err(Error::new(
                    ErrorKind::Data,
                    format!("no recording has a function `{name}`"),
                )
                .hint("eprof diff --by function shows the names that there are"));
            }
            let runs = (base.runs, new.runs);
            let values = (old.as_ref(), fresh.as_ref());
            let key = Key::Function(name.clone(), String::new());
            let row = row(&key, metric, values, runs, pairing);
            Ok(Self {
                function: Some(name.clone()),
                limit,
                row: Row { tested, ..row },
            })
        });
        gates.collect()
    }

    /// The increase as a part of the base (0.03: 3 % more); `None` where the
    /// base is nothing.
    pub fn increase(&self) -> Option<f64> {
        self.row.ratio().map(|ratio| ratio - 1.0)
    }

    /// The interval of the increase. Without a ratio (values of zero), the
    /// difference as a part of the base's mean.
    pub fn interval(&self) -> Option<Interval> {
        let ratio = self.row.ratio_interval();
        ratio.map(|of| of.map(|ratio| ratio - 1.0)).or_else(|| {
            let base = Some(self.row.base).filter(|base| *base > 0.0)?;
            Some(self.row.difference_interval()?.map(|of| of / base))
        })
    }

    /// What became of it.
    pub fn outcome(&self) -> Outcome {
        let Some(interval) = self.interval() else {
            // What was not there before has increased by any measure, if it is
            // certain that it is there now.
            return match self.row.changed() {
                true => Outcome::Exceeded,
                false => Outcome::Undecided,
            };
        };
        if interval.low > self.limit {
            Outcome::Exceeded
        } else if interval.high > self.limit {
            Outcome::Undecided
        } else {
            Outcome::Pass
        }
    }

    /// Whether there certainly is an increase, if perhaps one within the limit.
    pub fn increased(&self) -> bool {
        self.interval().is_some_and(|of| of.low > 0.0)
    }

    /// Runs of each side that would tell an increase by half of the limit from
    /// one by the limit, with a probability of 90 %.
    pub fn runs_to_decide(&self) -> Option<usize> {
        let contrast: Contrast = self.row.contrast?;
        let apart = self.limit.max(0.002) / 2.0;
        contrast.runs_for(apart, self.row.tested?, USUAL_POWER)
    }
}

/// What the stacks took that have the function `name` on them.
fn within(side: &Side, name: &str) -> Option<Values> {
    let mut sum: Option<Values> = None;
    for (key, values) in side.rows(By::Stack) {
        let mut frames = key.frames().iter();
        if !frames.any(|frame| is_called(&frame.key.function, name)) {
            continue;
        }
        let sum = sum.get_or_insert_with(|| Values::nothing(side.runs));
        sum.merge(values);
    }
    sum
}

/// Whether `function` is `name`, with or without the path before it.
fn is_called(function: &str, name: &str) -> bool {
    let path = function.strip_suffix(name);
    path.is_some_and(|path| path.is_empty() || path.ends_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_may_be_called_without_its_path() {
        assert!(is_called("parse", "parse"));
        assert!(is_called("json::Reader::parse", "parse"));
        assert!(is_called("json::Reader::parse", "Reader::parse"));
        assert!(!is_called("unparse", "parse"));
        assert!(!is_called("json::parse_all", "parse"));
    }
}
