//! What a calibration found out, and what of it is worth saving.

use std::collections::BTreeMap;

use super::quiet_check::Disturbance;
use crate::calibration::file::{Calibration, Machine, SCHEMA, Saved};
use crate::calibration::saved_model::{BusyCpu, SavedModel, SavedTerm};
use crate::caveat::Caveat;
use crate::measurement::Domain;
use crate::power::{self, Fit, Row, Settings, Shape, Signal, Verdict};

/// A model that explains less of the variance of held-out data is not saved.
pub const LEAST_R2: f64 = 0.8;

/// Everything that was found out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Where.
    pub machine: Machine,
    /// What ran while idle power was measured.
    pub disturbance: Disturbance,
    /// By meter.
    pub meters: Vec<MeterFindings>,
    /// What makes the numbers less true.
    pub caveats: Vec<Caveat>,
}

/// What was found out about one meter.
#[derive(Clone, Debug, PartialEq)]
pub struct MeterFindings {
    /// Its name.
    pub name: String,
    /// What it counts; `None` for a column of a file.
    pub domain: Option<Domain>,
    /// How many CPUs it answers for, where that is known.
    pub cpus: Option<usize>,
    /// Idle power and its standard deviation, in watts.
    pub idle: Option<(f64, f64)>,
    /// The fit, whether it is good or not; `None` where there was nothing to
    /// fit, or no fit was wanted.
    pub model: Option<Model>,
    /// Why no model is saved; `None` where one is, or none was wanted.
    pub refused: Option<Refusal>,
}

/// A fit and what it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The columns of the fit.
    pub signals: Vec<Signal>,
    /// Signals that were not used, and why.
    pub left_out: Vec<(Signal, &'static str)>,
    /// The fit.
    pub fit: Fit,
    /// What was held out in turn: `workload` or `block`.
    pub held_out_by: &'static str,
}

/// Why a model is not saved: a sentence without full stop, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub why: String,
    /// What helps.
    pub hint: String,
}

/// Who chose the signals of a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The user: those and no others, or no model.
    ByUser,
    /// Nobody: those that the fit cannot tell apart are left out.
    Freely,
}

impl Model {
    /// Fits rows whose columns are `signals` with curves of so many straight
    /// pieces as predict best; `None` where there is nothing to
    /// fit.
    pub fn fit(
        rows: &[Row],
        signals: &[Signal],
        chosen: Chosen,
        held_out_by: &'static str,
        pieces: &[usize],
    ) -> Option<Self> {
        let time = |signals: &[Signal]| -> Vec<usize> {
            (0..signals.len())
                .filter(|at| signals[*at].is_time())
                .collect()
        };
        let mut left_out = Vec::new();
        let mut kept: Vec<usize> = (0..signals.len()).collect();
        if chosen == Chosen::Freely {
            let health = power::Health::of_rows(rows, signals.len());
            for (columns, why) in [
                (&health.zero, "counts nothing here"),
                (&health.collinear, "says the same as the signals before it"),
            ] {
                left_out.extend(columns.iter().map(|at| (signals[*at].clone(), why)));
                kept.retain(|at| !columns.contains(at));
            }
        }
        let signals: Vec<Signal> = kept.iter().map(|at| signals[*at].clone()).collect();
        let rows = columns(rows, &kept);
        let settings = Settings::with_idle(time(&signals));
        let fit = power::fit(&rows, signals.len(), &settings, pieces)?;
        let model = Self {
            fit,
            signals,
            left_out,
            held_out_by,
        };
        // Where CPU time alone predicts as well, it is the better model.
        let plain = chosen == Chosen::Freely && model.is_worse_than_time();
        Some(match plain.then(|| model.of_time_alone(&rows)).flatten() {
            Some(plain) => plain,
            None => model,
        })
    }

    /// Whether it predicts worse than CPU time alone does.
    fn is_worse_than_time(&self) -> bool {
        !self.is_time_alone() && self.fit.held_out.rmse > self.fit.time_share.rmse * 1.001
    }

    /// Whether it is a straight line of CPU time. Then it and what it would be
    /// compared with differ by the strength of their fits only.
    fn is_time_alone(&self) -> bool {
        matches!(self.signals[..], [Signal::Time(_)])
            && self.fit.terms.iter().all(|of| of.shape == Shape::Linear)
    }

    /// A straight line of CPU time, fitted to the same rows.
    fn of_time_alone(&self, rows: &[Row]) -> Option<Self> {
        let is_time = |at: &usize| matches!(self.signals[*at], Signal::Time(_));
        let (kept, left): (Vec<usize>, Vec<usize>) = (0..self.signals.len()).partition(is_time);
        let rows = columns(rows, &kept);
        let settings = Settings::with_idle((0..kept.len()).collect());
        let why = "predicts no better than CPU time alone";
        let left = left.iter().map(|at| (self.signals[*at].clone(), why));
        Some(Self {
            fit: power::fit(&rows, kept.len(), &settings, &[1])?,
            signals: kept.iter().map(|at| self.signals[*at].clone()).collect(),
            left_out: self.left_out.iter().cloned().chain(left).collect(),
            held_out_by: self.held_out_by,
        })
    }

    /// Power above idle in watts, at such rates of the signals (per second).
    pub fn active(&self, rate: impl Fn(&Signal) -> f64) -> f64 {
        let row: Vec<f64> = self.signals.iter().map(rate).collect();
        self.fit.predict(&row) - self.fit.intercept
    }

    /// Why it is not to be saved; `None` where it is.
    pub fn refusal(&self) -> Option<Refusal> {
        let fit = &self.fit;
        let named = |columns: &[usize]| -> Vec<String> {
            columns
                .iter()
                .map(|at| self.signals[*at].to_string())
                .collect()
        };
        let without = |columns: &[usize]| -> String {
            let rest = (0..self.signals.len()).filter(|at| !columns.contains(at));
            let rest: Vec<String> = rest.map(|at| self.signals[at].to_string()).collect();
            format!("leave them out: --signals {}", rest.join(","))
        };
        let refuse = |why: String, hint: String| Some(Refusal { why, hint });
        let better_data = "make the machine quiet and measure for longer (--duration 5m)";
        if !fit.health.zero.is_empty() {
            return refuse(
                format!("no row has any {}", named(&fit.health.zero).join(" or ")),
                without(&fit.health.zero),
            );
        }
        if !fit.health.collinear.is_empty() {
            return refuse(
                format!(
                    "the fit cannot tell {} from the signals before: the weights would mean nothing",
                    named(&fit.health.collinear).join(" and ")
                ),
                without(&fit.health.collinear),
            );
        }
        let by = self.held_out_by;
        if fit.verdict == Verdict::TooFewRows {
            return refuse(
                format!("{} usable rows are too few", fit.rows),
                better_data.to_owned(),
            );
        }
        if fit.held_out.r2 < LEAST_R2 {
            return refuse(
                format!(
                    "with each {by} held out in turn, its R² is {:.2}; a model is saved from \
                     {LEAST_R2:.2} on",
                    fit.held_out.r2
                ),
                better_data.to_owned(),
            );
        }
        if self.is_worse_than_time() {
            return refuse(
                format!(
                    "with each {by} held out in turn, it predicts worse than CPU time alone \
                     (RMSE {:.2} W, {:.2} W)",
                    fit.held_out.rmse, fit.time_share.rmse
                ),
                "choose other signals, e.g. --signals time".to_owned(),
            );
        }
        None
    }

    /// As it is saved.
    pub fn saved(&self) -> SavedModel {
        let fit = &self.fit;
        SavedModel {
            terms: fit
                .terms
                .iter()
                .map(|term| SavedTerm {
                    signal: self.signals[term.column].to_string(),
                    shape: term.shape,
                    weight: term.weight,
                })
                .collect(),
            intercept: fit.intercept,
            covariance: fit.covariance.clone(),
            residual: fit.residual,
            held_out: fit.held_out,
            time_share: fit.time_share,
            held_out_by: self.held_out_by.to_owned(),
            rows: fit.rows,
            busy_cpu: (fit.by_time > 0.0).then_some(BusyCpu {
                // Per nanosecond.
                watts: fit.by_time * 1e9,
                residual: fit.by_time_residual,
            }),
        }
    }
}

/// The rows with those of their columns only.
fn columns(rows: &[Row], kept: &[usize]) -> Vec<Row> {
    let row = |row: &Row| Row {
        x: kept.iter().map(|at| row.x[*at]).collect(),
        ..row.clone()
    };
    rows.iter().map(row).collect()
}

impl Findings {
    /// The file to save, with what `older` says of other meters of the same
    /// machine.
    pub fn calibration(&self, older: Option<Calibration>) -> Calibration {
        let same = |older: &Calibration| {
            let machine = older.machine.as_ref();
            machine.is_some_and(|machine| machine.cpu == self.machine.cpu)
        };
        let mut meters = older
            .filter(same)
            .map_or_else(BTreeMap::new, |older| older.meters);
        for meter in &self.meters {
            let Some((watts, sd)) = meter.idle else {
                continue;
            };
            let model = meter.model.as_ref().filter(|_| meter.refused.is_none());
            meters.insert(
                meter.name.clone(),
                Saved {
                    domain: meter.domain,
                    cpus: meter.cpus,
                    watts,
                    sd,
                    model: model.map(Model::saved),
                },
            );
        }
        Calibration {
            schema: SCHEMA.to_owned(),
            machine: Some(self.machine.clone()),
            meters,
        }
    }

    /// Whether every meter has what was wanted of it.
    pub fn complete(&self) -> bool {
        let whole = |meter: &MeterFindings| meter.idle.is_some() && meter.refused.is_none();
        self.meters.iter().all(whole)
    }
}
