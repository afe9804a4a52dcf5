//! One run of eprof held against the truth: figures.

mod meters;
mod threads;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::guest::Results;
use crate::report::Report;
use crate::scenario::{Check, Scenario};
use crate::truth::Truth;

/// What a figure is about, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Whether the report balances: microjoules that do not.
    Conserved,
    /// The worst meter's total against the truth, in updates of the registers.
    Meter,
    /// Mean error of threads, in percent.
    ThreadsMean,
    /// Worst error of a thread, in percent.
    ThreadsWorst,
    /// Mean error of threads if what was counted for them were priced by the
    /// very law of the hardware, in percent: what no attribution can mend.
    Counted,
    /// By how much two equal threads differ beyond their truths, in percent.
    Twins,
    /// Energy in the wrong function, in percent.
    Functions,
    /// Processes that are not in the report.
    Missing,
    /// Error of the sum of many processes, in percent.
    Sum,
    /// Standard deviation of the energies of intervals that eprof is sure of, in
    /// percent.
    Timing,
    /// Root mean square of the errors of all intervals, in the standard
    /// deviations that eprof states.
    Deviations,
    /// Intervals that eprof is not sure of, in percent.
    Unsure,
    /// Threads whose 90 % interval holds not the truth.
    Uncovered,
    /// Caveats that are not there.
    Unsaid,
}

/// A number, and what it may be at most.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is about.
    pub column: Column,
    /// The number.
    pub value: f64,
    /// The bound; `None` where it is only printed.
    pub bound: Option<f64>,
    /// What else there is to say.
    pub note: String,
}

/// One run of eprof.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The scenario's name; with `+calibrated`, where a calibration was used.
    pub name: String,
    /// The power law.
    pub law: String,
    /// Whether there were counters.
    pub counters: bool,
    /// What energy was shared by, as the report says.
    pub weights: String,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Rows above 1 % whose interval holds the truth, and all such rows.
    pub covered: (usize, usize),
    /// Why there are none.
    pub failure: Option<String>,
}

/// Whether there are results of a scenario.
pub fn is_left(scenario: &Scenario, results: &Results) -> bool {
    let names = [
        scenario.name.clone(),
        format!("{}+calibrated", scenario.name),
    ];
    names
        .iter()
        .any(|name| results.directory.join(name).exists())
}

/// The outcomes of a scenario: without and, where there is one, with a
/// calibration.
pub fn outcomes(scenario: &Scenario, results: &Results) -> Vec<Outcome> {
    let plain = scenario.blind || !scenario.has_calibration();
    let names = [
        plain.then(|| scenario.name.clone()),
        scenario
            .has_calibration()
            .then(|| format!("{}+calibrated", scenario.name)),
    ];
    let run = |name: &String| outcome(scenario, name, results);
    names.iter().flatten().map(run).collect()
}

fn outcome(scenario: &Scenario, name: &str, results: &Results) -> Outcome {
    let directory = &results.directory.join(name);
    let mut outcome = Outcome {
        name: name.to_owned(),
        law: scenario.law().to_owned(),
        counters: scenario.counters(),
        weights: String::new(),
        figures: Vec::new(),
        covered: (0, 0),
        failure: None,
    };
    let text = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap_or_default();
    let (Ok(report), "0") = (
        serde_json::from_str::<Value>(&text("report.json")),
        text("exit").trim(),
    ) else {
        let said = text("stderr");
        outcome.failure = Some(format!("exit code {}: {said}", text("exit").trim()));
        return outcome;
    };
    let run = Run {
        name: name.to_owned(),
        scenario,
        directory,
        eprof: &results.eprof,
        report: Report(report),
        truth: Truth::read(directory),
    };
    outcome.failure = run.lesser();
    outcome.weights = run.report.0["source"]["weights"]
        .as_str()
        .unwrap_or("?")
        .to_owned();
    if scenario.checks.contains(&Check::Threads) || scenario.checks.contains(&Check::Short) {
        outcome.covered = run.covered();
    }
    outcome.figures = run.figures(outcome.covered);
    outcome
}

/// One run, and what is known of it.
struct Run<'a> {
    name: String,
    scenario: &'a Scenario,
    directory: &'a Path,
    eprof: &'a Path,
    report: Report,
    truth: Truth,
}

impl Run<'_> {
    fn figures(&self, covered: (usize, usize)) -> Vec<Figure> {
        let mut figures = vec![self.conserved()];
        // The bounds hold for hardware whose law a calibration could find.
        let known = self.scenario.has_calibration() && self.name.ends_with("+calibrated");
        for check in &self.scenario.checks {
            match *check {
                Check::Meter => figures.push(self.meter()),
                Check::Threads => figures.extend(self.threads_figures(known)),
                Check::Twins => figures.push(self.twins(known)),
                Check::Phases(ms) => {
                    let bound = match ms {
                        20.. => Some(2.0),
                        5.. => Some(5.0),
                        _ => None,
                    };
                    figures.push(self.functions(bound.filter(|_| known), String::new()));
                }
                Check::Mixed => {
                    let by_time = misplaced(&self.by_time(), &self.truth);
                    let note =
                        by_time.map_or_else(String::new, |by_time| format!("{by_time:.1} by time"));
                    figures.push(self.functions(None, note));
                }
                Check::Timing => figures.extend(self.timing()),
                Check::Short => figures.extend(self.short(Some(3.0))),
                Check::Storm => figures.extend(self.short(None)),
                Check::Said(code) => figures.push(self.said(code)),
            }
        }
        let (covered, of) = covered;
        figures.push(Figure {
            column: Column::Uncovered,
            value: (of - covered) as f64,
            // What is only guessed at must not look sure.
            bound: (self.scenario.is_uncounted() && of > 0).then_some(0.0),
            note: format!("of {of}"),
        });
        figures
    }

    /// All tables add up to the ledger, and the ledger to the meters.
    fn conserved(&self) -> Figure {
        let total = self.report.0["energy_uj"].as_u64().unwrap_or(0);
        let target = self.report.account("target");
        let ledger: u64 = self
            .report
            .rows("ledger")
            .iter()
            .filter(|row| row["nested"] != true)
            .map(|row| row["uj"].as_u64().unwrap_or(0))
            .sum();
        let meters: u64 = self.report.0["source"]["meters"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|meter| meter["nested"] != true)
            .map(|meter| meter["total_uj"].as_u64().unwrap_or(0))
            .sum();
        let mut off = total.abs_diff(ledger) + total.abs_diff(meters);
        for (table, field) in [
            ("threads", "uj"),
            ("processes", "uj"),
            ("functions", "self_uj"),
        ] {
            off += target.abs_diff(self.report.sum(table, field));
        }
        Figure {
            column: Column::Conserved,
            value: off as f64,
            bound: Some(0.0),
            note: String::new(),
        }
    }

    fn functions(&self, bound: Option<f64>, note: String) -> Figure {
        Figure {
            column: Column::Functions,
            value: misplaced(&self.report, &self.truth).unwrap_or(100.0),
            bound,
            note,
        }
    }

    /// The same recording, divided by time.
    fn by_time(&self) -> Report {
        let report = |option: &str| {
            let output = Command::new(self.eprof)
                .current_dir(self.directory)
                .args(["report", "--format", "json", option, "time"])
                .output()
                .unwrap();
            serde_json::from_slice(&output.stdout).ok()
        };
        let either = report("--attribution").or_else(|| report("--weights"));
        Report(either.expect("a report"))
    }

    fn has_caveat(&self, code: &str) -> bool {
        let mut caveats = self.report.rows("caveats").iter();
        caveats.any(|caveat| caveat["code"] == code)
    }

    /// What the kernel of the guest refused, although it can do it.
    fn lesser(&self) -> Option<String> {
        let codes = ["no-btf", "stack-copies", "frame-pointers-only"];
        let code = codes.into_iter().find(|code| self.has_caveat(code))?;
        Some(format!("there is the caveat {code}"))
    }

    fn said(&self, code: &str) -> Figure {
        let said = self.has_caveat(code);
        Figure {
            column: Column::Unsaid,
            value: f64::from(u8::from(!said)),
            bound: Some(0.0),
            note: code.to_owned(),
        }
    }
}

/// The part of the energy of the functions `phase_KIND` that is in the wrong
/// one, in percent.
fn misplaced(report: &Report, truth: &Truth) -> Option<f64> {
    let kinds = ["hot", "mid", "low", "mem"];
    let pair = |kind: &str| {
        let rows = report.rows("functions").iter();
        let reported: f64 = rows
            .filter(|row| {
                row["function"]
                    .as_str()
                    .unwrap()
                    .ends_with(&format!("phase_{kind}"))
            })
            .map(|row| row["total_marginal_uj"].as_f64().unwrap_or(0.0))
            .sum();
        let used = truth.used.iter().filter(|used| used.comm == kind);
        (used.map(|used| used.uj).sum::<f64>(), reported)
    };
    let pairs = kinds.map(pair);
    let all: f64 = pairs.iter().map(|(truth, _)| truth).sum();
    let off: f64 = pairs
        .iter()
        .map(|(truth, reported)| (truth - reported).abs())
        .sum();
    (all > 0.0).then(|| off / 2.0 / all * 100.0)
}
