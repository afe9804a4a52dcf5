//! What must hold, what is known not to, and the verdict.

use std::collections::BTreeSet;

use crate::compare::{Column, Outcome};

/// The part of rows whose 90 % intervals must hold the truth.
pub const COVERAGE: f64 = 0.85;
/// Runs that coverage is said of.
pub const ENOUGH_RUNS: usize = 20;

/// Bounds that are not met yet, or not always: scenario (`*` for any), column,
/// and why. An entry of a single scenario is wrong, and makes the lab fail, when
/// the figure has become better than half of its bound.
pub const PENDING: &[(&str, Column, &str)] = &[
    ("*", Column::Meter, LATE),
    ("*", Column::Timing, LATE),
    ("idle+calibrated", Column::ThreadsMean, IDLE),
    ("idle+calibrated", Column::ThreadsWorst, IDLE),
];

const LATE: &str = "an emulated processor lets eprof in milliseconds late now and then";
const IDLE: &str = "3 % of the energy is above idle, and idle power is known to 1 %";

/// Why the coverage of all runs is not met yet; empty where it is.
pub const COVERAGE_PENDING: &str = "";

/// What became of a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Broken.
    Broken(String),
    /// Broken, and known to be.
    Pending(String),
    /// Said to be broken, and holds.
    Surprise(String),
}

impl Verdict {
    /// Whether the lab fails.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Pending(_))
    }
}

/// The verdicts on everything that does not simply hold.
pub fn judge(outcomes: &[Outcome]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for outcome in outcomes {
        if let Some(failure) = &outcome.failure {
            verdicts.push(Verdict::Broken(format!("{}: {failure}", outcome.name)));
        }
        for figure in &outcome.figures {
            let Some(bound) = figure.bound else { continue };
            let what = format!(
                "{}: {:?} {:.2}, at most {bound} ({})",
                outcome.name, figure.column, figure.value, figure.note
            );
            let pending = PENDING.iter().find(|(name, column, _)| {
                (*name == "*" || *name == outcome.name) && *column == figure.column
            });
            let holds = figure.value <= bound;
            match pending {
                None if !holds => verdicts.push(Verdict::Broken(what)),
                Some((_, _, why)) if !holds => {
                    verdicts.push(Verdict::Pending(format!("{what}: {why}")));
                }
                Some((name, _, _)) if *name != "*" && figure.value <= bound / 2.0 => {
                    verdicts.push(Verdict::Surprise(what));
                }
                _ => {}
            }
        }
    }
    verdicts.extend(judge_coverage(outcomes));
    verdicts
}

/// The names of the runs that break a bound.
pub fn broken(outcomes: &[Outcome]) -> BTreeSet<String> {
    let is_broken = |outcome: &&Outcome| {
        let alone = std::slice::from_ref(*outcome);
        judge(alone)
            .iter()
            .any(|verdict| matches!(verdict, Verdict::Broken(_)))
    };
    let broken = outcomes.iter().filter(is_broken);
    broken.map(|outcome| outcome.name.clone()).collect()
}

/// Rows above 1 % whose interval holds the truth, and all, over all runs.
pub fn coverage(outcomes: &[Outcome]) -> (usize, usize) {
    let add = |sum: (usize, usize), outcome: &Outcome| {
        (sum.0 + outcome.covered.0, sum.1 + outcome.covered.1)
    };
    outcomes.iter().fold((0, 0), add)
}

fn judge_coverage(outcomes: &[Outcome]) -> Option<Verdict> {
    let (covered, all) = coverage(outcomes);
    if outcomes.len() < ENOUGH_RUNS {
        return None;
    }
    let part = covered as f64 / all as f64;
    let what = format!("90 % intervals hold {covered} of {all} truths, at least {COVERAGE}");
    match (part >= COVERAGE, COVERAGE_PENDING) {
        (true, "") => None,
        (true, _) => Some(Verdict::Surprise(what)),
        (false, "") => Some(Verdict::Broken(what)),
        (false, why) => Some(Verdict::Pending(format!("{what}: {why}"))),
    }
}
