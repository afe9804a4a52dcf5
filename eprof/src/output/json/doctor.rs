//! The JSON of `eprof doctor`.

use serde::Serialize;

use crate::doctor::{Check, Diagnosis, State, Verdict};

/// The JSON Schema (draft 2020-12) of the document.
pub const SCHEMA: &str = include_str!("../doctor.schema.json");

/// The document of `eprof doctor --format json`, schema `eprof-doctor/1`.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    verdict: Verdict,
    exit_code: u8,
    checks: Vec<CheckDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct CheckDocument<'a> {
    name: &'static str,
    state: State,
    sentence: &'a str,
    hint: Option<&'a str>,
}

/// The diagnosis as a document to be written as JSON.
pub fn document(diagnosis: &Diagnosis) -> Document<'_> {
    Document {
        schema: "eprof-doctor/1",
        verdict: diagnosis.verdict,
        exit_code: diagnosis.verdict.exit_code(),
        checks: diagnosis.checks.iter().map(check).collect(),
    }
}

fn check(check: &Check) -> CheckDocument<'_> {
    let Check {
        name,
        state,
        sentence,
        hint,
    } = check;
    CheckDocument {
        name,
        state: *state,
        sentence,
        hint: hint.as_deref(),
    }
}
