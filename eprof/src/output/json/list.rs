//! The JSON of `eprof list`.

use serde::Serialize;

use crate::measurement::{Domain, Scope, SourceKind};
use crate::source::{Candidate, MeterNote};

/// The JSON Schema (draft 2020-12) of the document.
pub const SCHEMA: &str = include_str!("../list.schema.json");

/// The document of `eprof list --format json`, schema `eprof-list/1`.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    sources: Vec<SourceDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct SourceDocument<'a> {
    kind: SourceKind,
    chosen: bool,
    usable: bool,
    meters: Vec<MeterDocument<'a>>,
    why: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct MeterDocument<'a> {
    name: &'a str,
    domain: Option<Domain>,
    scope: Option<Scope>,
    usable: bool,
    nested: bool,
    why: Option<&'a str>,
    hint: Option<&'a str>,
}

/// The sources of this machine as a document to be written as JSON.
pub fn document(candidates: &[Candidate]) -> Document<'_> {
    Document {
        schema: "eprof-list/1",
        sources: candidates.iter().map(source).collect(),
    }
}

fn source(candidate: &Candidate) -> SourceDocument<'_> {
    let Candidate {
        kind,
        chosen,
        usable,
        meters,
        why,
    } = candidate;
    SourceDocument {
        kind: *kind,
        chosen: *chosen,
        usable: *usable,
        meters: meters.iter().map(meter).collect(),
        why: why.as_deref(),
    }
}

fn meter(note: &MeterNote) -> MeterDocument<'_> {
    let MeterNote {
        name,
        domain,
        scope,
        usable,
        nested,
        why,
        hint,
    } = note;
    MeterDocument {
        name,
        domain: *domain,
        scope: *scope,
        usable: *usable,
        nested: *nested,
        why: why.as_deref(),
        hint: *hint,
    }
}
