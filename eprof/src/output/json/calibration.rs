//! The JSON of `eprof calibrate`.

use std::path::Path;

use serde::Serialize;

use crate::calibrate::{Findings, MeterFindings, Model};
use crate::calibration::file::Machine;
use crate::calibration::saved_model::SavedModel;
use crate::caveat::Caveat;
use crate::measurement::Domain;

/// The findings for programs, schema `eprof-calibrate/1`. What was not
/// measured is `null`.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    machine: &'a Machine,
    quiet: Quiet<'a>,
    meters: Vec<MeterDocument<'a>>,
    caveats: &'a [Caveat],
    saved: Option<&'a Path>,
}

#[derive(Debug, Serialize)]
struct Quiet<'a> {
    /// Part of all CPU time while idle power was measured.
    busy: Option<f64>,
    quiet: bool,
    processes: Vec<ProcessDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct ProcessDocument<'a> {
    comm: &'a str,
    pid: u32,
    cpu_s: f64,
}

#[derive(Debug, Serialize)]
struct MeterDocument<'a> {
    name: &'a str,
    domain: Option<Domain>,
    cpus: Option<usize>,
    idle_watts: Option<f64>,
    idle_sd: Option<f64>,
    model: Option<ModelDocument<'a>>,
    refused: Option<RefusalDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct ModelDocument<'a> {
    #[serde(flatten)]
    model: SavedModel,
    intercept_sd: f64,
    /// `null` where it is infinite.
    condition: Option<f64>,
    all_zero: Vec<String>,
    collinear: Vec<String>,
    left_out: Vec<LeftOut<'a>>,
}

#[derive(Debug, Serialize)]
struct LeftOut<'a> {
    signal: String,
    why: &'a str,
}

#[derive(Debug, Serialize)]
struct RefusalDocument<'a> {
    why: &'a str,
    hint: &'a str,
}

/// The findings as a document to be written as JSON.
pub fn document<'a>(findings: &'a Findings, saved: Option<&'a Path>) -> Document<'a> {
    let disturbance = &findings.disturbance;
    let processes = disturbance.processes.iter();
    Document {
        schema: "eprof-calibrate/1",
        machine: &findings.machine,
        quiet: Quiet {
            busy: disturbance.busy,
            quiet: disturbance.is_quiet(),
            processes: processes
                .map(|(comm, pid, cpu_s)| ProcessDocument {
                    comm,
                    pid: *pid,
                    cpu_s: *cpu_s,
                })
                .collect(),
        },
        meters: findings.meters.iter().map(meter).collect(),
        caveats: &findings.caveats,
        saved,
    }
}

fn meter(meter: &MeterFindings) -> MeterDocument<'_> {
    let model = |model: &'_ Model| {
        let named = |columns: &[usize]| -> Vec<String> {
            columns
                .iter()
                .map(|at| model.signals[*at].to_string())
                .collect()
        };
        let health = &model.fit.health;
        let left_out = model.left_out.iter();
        ModelDocument {
            model: model.saved(),
            intercept_sd: model.fit.intercept_sd,
            condition: Some(health.condition).filter(|value| value.is_finite()),
            all_zero: named(&health.zero),
            collinear: named(&health.collinear),
            left_out: left_out
                .map(|(signal, why)| LeftOut {
                    signal: signal.to_string(),
                    why,
                })
                .collect(),
        }
    };
    MeterDocument {
        name: &meter.name,
        domain: meter.domain,
        cpus: meter.cpus,
        idle_watts: meter.idle.map(|(watts, _)| watts),
        idle_sd: meter.idle.map(|(_, sd)| sd),
        model: meter.model.as_ref().map(model),
        refused: meter.refused.as_ref().map(|refusal| RefusalDocument {
            why: &refusal.why,
            hint: &refusal.hint,
        }),
    }
}
