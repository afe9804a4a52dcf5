//! What must hold, what is known not to, and the verdict.

use std::collections::BTreeSet;

use crate::compare::{Column, Outcome};

/// The part of rows whose 90 % intervals must hold the truth.
pub const COVERAGE: f64 = 0.85;
/// Runs that coverage is said of.
pub const ENOUGH_RUNS: usize = 20;

/// A bound that is not always met.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// A part of the names of the runs.
    pub runs: &'static str,
    /// Of what.
    pub column: Column,
    /// What is worse is a defect.
    pub limit: f64,
    /// Why.
    pub why: &'static str,
}

/// Bounds that are not always met. They are tried twice all the same.
pub const PENDING: &[Pending] = &[
    Pending {
        runs: "two-sockets",
        column: Column::Meter,
        limit: 10.0,
        why: SHARED,
    },
    Pending {
        runs: "two-sockets-hop",
        column: Column::ThreadsMean,
        limit: 15.0,
        why: SHARED,
    },
    Pending {
        runs: "two-sockets-hop",
        column: Column::ThreadsWorst,
        limit: 25.0,
        why: SHARED,
    },
    Pending {
        runs: "two-sockets+calibrated",
        column: Column::ThreadsMean,
        limit: 6.0,
        why: SHARED,
    },
    Pending {
        runs: "two-sockets+calibrated",
        column: Column::ThreadsWorst,
        limit: 12.0,
        why: SHARED,
    },
    Pending {
        runs: "",
        column: Column::Meter,
        limit: 2.0,
        why: LATE,
    },
    Pending {
        runs: "",
        column: Column::Timing,
        limit: 2.0,
        why: LATE,
    },
    Pending {
        runs: "",
        column: Column::Unsure,
        limit: 80.0,
        why: LATE,
    },
];

const SHARED: &str =
    "four emulated processors share two real ones, so eprof is let in milliseconds late";
const LATE: &str = "an emulated processor lets eprof in milliseconds late now and then";

/// What became of a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Broken.
    Broken(String),
    /// Broken, and known to be at times.
    Pending(String),
}

impl Verdict {
    /// Whether the lab fails.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Broken(_))
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
            if figure.value <= bound {
                continue;
            }
            let pending = PENDING.iter().find(|of| {
                outcome.name.contains(of.runs)
                    && of.column == figure.column
                    && figure.value <= of.limit
            });
            verdicts.push(match pending {
                None => Verdict::Broken(what),
                Some(of) => Verdict::Pending(format!("{what}: {}", of.why)),
            });
        }
    }
    verdicts.extend(judge_coverage(outcomes));
    verdicts
}

/// The names of the runs that break a bound, known for it or not.
pub fn broken(outcomes: &[Outcome]) -> BTreeSet<String> {
    let is_broken = |outcome: &&Outcome| !judge(std::slice::from_ref(*outcome)).is_empty();
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
    (part < COVERAGE).then(|| {
        Verdict::Broken(format!(
            "90 % intervals hold {covered} of {all} truths, at least {COVERAGE}"
        ))
    })
}
