//! The text of `eprof doctor`.

use std::fmt::Write as _;

use crate::doctor::{Diagnosis, State, Verdict};
use crate::harmless::escaped;

/// The checks, a line each, with the hints, and the verdict. Sentences quote what the
/// machine says of itself.
pub fn render(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for check in &diagnosis.checks {
        let state = state(check.state);
        let sentence = escaped(&check.sentence);
        let _ = writeln!(text, "{state:<9} {:<15} {sentence}", check.name);
        if let Some(hint) = &check.hint {
            let _ = writeln!(text, "{:<25} hint: {}", "", escaped(hint));
        }
    }
    let (verdict, code) = (verdict(diagnosis.verdict), diagnosis.verdict.exit_code());
    let _ = writeln!(text, "\n{verdict} (exit code {code})");
    text
}

fn state(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Unknown => "unknown",
        State::Degraded => "degraded",
        State::Missing => "MISSING",
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Measure => "eprof run can measure energy here.",
        Verdict::Estimate => {
            "eprof run works here, but there is no usable meter: it estimates energy."
        }
        Verdict::CannotRun => "eprof run cannot work here.",
    }
}
