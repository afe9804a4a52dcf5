//! The text of `eprof list`.

use std::fmt::Write as _;

use crate::harmless::escaped;
use crate::measurement::Scope;
use crate::source::{Candidate, MeterNote};

/// The listing for people: every kind with its meters, the reasons and the
/// hints.
pub fn render(candidates: &[Candidate]) -> String {
    let mut text = String::new();
    for candidate in candidates {
        let state = match (candidate.chosen, candidate.usable) {
            (true, _) => "chosen",
            (false, true) => "usable",
            (false, false) => "not usable",
        };
        let _ = write!(text, "{:<10} {state}", candidate.kind.name());
        if let Some(why) = &candidate.why {
            let _ = write!(text, ": {}", escaped(why));
        }
        text.push('\n');
        for note in &candidate.meters {
            meter(&mut text, note);
        }
        hints(&mut text, &candidate.meters);
    }
    text
}

fn meter(text: &mut String, note: &MeterNote) {
    let _ = write!(text, "  {:<26}", escaped(&note.name));
    if let Some(domain) = note.domain {
        let _ = write!(text, " {:<8}", domain.name());
    }
    if let (true, Some(scope)) = (note.usable, note.scope) {
        let _ = write!(text, " {}", scope_words(scope));
    }
    if note.nested {
        text.push_str(", overlaps the others, not added");
    }
    if let Some(why) = &note.why {
        let _ = write!(text, " unusable: {}", escaped(why));
    }
    text.push('\n');
}

/// Each hint once, however many meters need it.
fn hints(text: &mut String, notes: &[MeterNote]) {
    let mut seen = Vec::new();
    for hint in notes.iter().filter_map(|note| note.hint) {
        if !seen.contains(&hint) {
            seen.push(hint);
            let _ = writeln!(text, "  hint: {hint}");
        }
    }
}

/// A scope in words.
fn scope_words(scope: Scope) -> String {
    match scope {
        Scope::Machine => "whole machine".into(),
        Scope::Package(package) => format!("package {package}"),
        Scope::Die { package, die } => format!("package {package}, die {die}"),
        Scope::Core { package, core } => format!("package {package}, core {core}"),
    }
}
