//! The runs that were added up, in the report.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::profile::MemberRow;

use super::energy::EnergyValue;

#[derive(Serialize)]
pub(super) struct Member<'p> {
    name: &'p str,
    host: &'p str,
    labels: &'p BTreeMap<String, String>,
    command: &'p [String],
    exit_code: Option<i32>,
    started_unix_ns: u64,
    duration_s: f64,
    overlaps: bool,
    total_uj: Option<u64>,
    #[serde(flatten)]
    energy: EnergyValue,
    cpu_ns: u64,
    samples: u64,
}

impl<'p> Member<'p> {
    pub(super) fn new(row: &'p MemberRow, energy: EnergyValue, known: bool) -> Self {
        Self {
            name: &row.name,
            host: &row.host,
            labels: &row.labels,
            command: &row.argv,
            exit_code: row.exit_code,
            started_unix_ns: row.started_unix_ns,
            duration_s: row.duration.seconds(),
            overlaps: row.overlaps,
            total_uj: known.then_some(row.total.0),
            energy,
            cpu_ns: row.cpu.0,
            samples: row.samples,
        }
    }
}
