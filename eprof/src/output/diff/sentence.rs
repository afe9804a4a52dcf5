//! What a comparison found, in sentences.

use crate::diff::{Difference, Gate, Metric, Outcome, Row};
use crate::statistics::{USUAL_POWER, Verdict};

use super::super::format::number::counted;
use super::super::format::sanitize::visible;
use super::cells::{change, changes};

/// What was compared, and how.
pub(super) fn method(difference: &Difference) -> String {
    let metric = difference.metric;
    let estimated = difference.base.estimated || difference.new.estimated;
    let how = match metric {
        Metric::Energy if estimated => "energy, estimated",
        Metric::Energy => "energy, measured",
        Metric::CpuTime => "CPU time",
        Metric::Instructions => "instructions",
    };
    let why = difference.why.map_or_else(String::new, |why| {
        format!(" in place of energy, because {why}")
    });
    let design = match (difference.interleaved, difference.blocked) {
        (_, true) => "; interleaved runs, in pairs",
        (true, false) => "; interleaved runs",
        (false, false) => "",
    };
    format!(
        "{how}{why}{design}; a row has changed where its {} interval, corrected for many rows, \
         excludes 0",
        difference.confidence
    )
}

/// The verdict on the target.
pub(super) fn verdict(difference: &Difference) -> String {
    let row = &difference.total;
    let what = difference.metric.to_string();
    let runs = match (difference.base.runs, difference.new.runs) {
        (1, 1) => "from one run each (so how much runs differ is unknown)".to_owned(),
        (a, b) if a == b => format!("from {a} runs of each"),
        (a, b) => format!("from {a} and {b} runs"),
    };
    let by = |sign: f64| {
        let percent = row.ratio().map(|ratio| change((ratio - 1.0) * sign));
        percent.map_or_else(String::new, |of| format!(" {}", of.trim_start_matches('+')))
    };
    let interval = match row.ratio_interval() {
        Some(of) => format!(" ({})", changes(of.map(|ratio| ratio - 1.0))),
        None => String::new(),
    };
    match (row.verdict(), row.contrast) {
        (Verdict::Worse, _) => format!("worse:{} more {what}{interval}, {runs}", by(1.0)),
        (Verdict::Better, _) => format!("better:{} less {what}{interval}, {runs}", by(-1.0)),
        (Verdict::Undetected, None) => {
            let change = row.ratio().map_or_else(String::new, |r| change(r - 1.0));
            format!("unknown whether {what} differs ({change}), {runs}")
        }
        (Verdict::Undetected, Some(_)) => {
            format!(
                "no detectable difference of {what}{interval}, {runs}{}",
                with_more_runs(row)
            )
        }
    }
}

/// What more runs would find.
fn with_more_runs(row: &Row) -> String {
    let (Some(contrast), Some(confidence)) = (row.contrast, row.tested) else {
        return String::new();
    };
    let percent = USUAL_POWER * 100.0;
    let mut text = String::new();
    if let Some(least) = contrast.detectable(confidence, USUAL_POWER) {
        text.push_str(&format!(
            "; these find a change of {} or more in {percent} % of cases",
            change(least).trim_start_matches('+')
        ));
    }
    let observed = row.ratio().unwrap_or(1.0) - 1.0;
    if let Some(runs) = contrast.runs_for_observed(confidence, USUAL_POWER) {
        text.push_str(&format!(
            "; finding one of {} takes about {} of each",
            change(observed),
            counted(runs as u64, "run", "runs")
        ));
    }
    text
}

/// Whether a limit holds.
pub(super) fn gate(gate: &Gate) -> String {
    let what = match &gate.function {
        Some(function) => format!("function `{}`", visible(function)),
        None => "target".to_owned(),
    };
    let limit = change(gate.limit);
    let increase = gate.increase().map_or_else(|| "new".to_owned(), change);
    let interval = match gate.interval() {
        Some(interval) => format!(" ({})", changes(interval)),
        None => String::new(),
    };
    let found = format!("{what}: {increase}{interval} against a limit of {limit}");
    match gate.outcome() {
        Outcome::Exceeded => format!("FAIL: {found}"),
        Outcome::Undecided => {
            let certain = match gate.increased() {
                true => "there is an increase, but it is",
                false => "it is",
            };
            let runs = gate.runs_to_decide().map_or_else(String::new, |runs| {
                let runs = counted(runs as u64, "run", "runs");
                format!("; about {runs} of each would decide")
            });
            format!("pass, undecided: {found}; {certain} not certainly above the limit{runs}")
        }
        Outcome::Pass if gate.increased() => format!("pass: {found}; an increase within the limit"),
        Outcome::Pass => format!("pass: {found}"),
    }
}
