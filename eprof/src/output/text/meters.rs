//! The text and JSON of `eprof list`.

use std::fmt::Write as _;

use serde::Serialize;

use crate::measurement::Scope;
use crate::source::selection::candidate::{Candidate, MeterNote};

/// The listing for people: every kind with its meters, the reasons and the
/// remedies.
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
            let _ = write!(text, ": {why}");
        }
        text.push('\n');
        for note in &candidate.meters {
            meter(&mut text, note);
        }
        if let Some(remedy) = &candidate.remedy {
            let _ = writeln!(text, "  remedy: {remedy}");
        }
        remedies(&mut text, &candidate.meters);
    }
    text
}

fn meter(text: &mut String, note: &MeterNote) {
    let _ = write!(text, "  {:<26}", note.name);
    if let Some(domain) = note.domain {
        let _ = write!(text, " {:<8}", domain.name());
    }
    if let (true, Some(scope)) = (note.usable, note.scope) {
        let _ = write!(text, " {}", place(scope));
    }
    if note.nested {
        text.push_str(", overlaps the others, not added");
    }
    if let Some(why) = &note.why {
        let _ = write!(text, " unusable: {why}");
    }
    text.push('\n');
}

/// Each remedy once, however many meters need it.
fn remedies(text: &mut String, notes: &[MeterNote]) {
    let mut seen = Vec::new();
    for remedy in notes.iter().filter_map(|note| note.remedy.as_deref()) {
        if !seen.contains(&remedy) {
            seen.push(remedy);
            let _ = writeln!(text, "  remedy: {remedy}");
        }
    }
}

/// A scope in words.
pub fn place(scope: Scope) -> String {
    match scope {
        Scope::Machine => "whole machine".into(),
        Scope::Package(package) => format!("package {package}"),
        Scope::Die { package, die } => format!("package {package}, die {die}"),
        Scope::Core { package, core } => format!("package {package}, core {core}"),
    }
}

/// The document of `eprof list --format json`, schema `eprof-list/1`.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    sources: &'a [Candidate],
}

/// The listing as a document to be written as JSON.
pub fn document(candidates: &[Candidate]) -> Document<'_> {
    Document {
        schema: "eprof-list/1",
        sources: candidates,
    }
}
