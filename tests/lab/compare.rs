//! One run of eprof held against the truth: figures.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use eprof::kernel::Counter;
use eprof::recording::RecordingFile;
use eprof::source::{Domain, Scope};
use eprof::timeline::{Interval, Timeline};
use serde_json::Value;

use crate::guest::Results;
use crate::scenario::{Check, Scenario};
use crate::support::{self, Report};
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
    /// Standard deviation of the energies of intervals, in percent.
    Timing,
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
    let run = |name: &String| outcome(scenario, name, &results.directory.join(name));
    names.iter().flatten().map(run).collect()
}

fn outcome(scenario: &Scenario, name: &str, directory: &Path) -> Outcome {
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
        report: Report(report),
        truth: Truth::read(directory),
    };
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
    report: Report,
    truth: Truth,
}

/// The time between two updates of the registers, in nanoseconds.
const UPDATE: u64 = 1_003_100;

/// What a meter said in all.
#[derive(Debug, Default)]
struct Total {
    truth: f64,
    ns: u64,
    /// Microjoules beyond the truth.
    off: f64,
    /// Where what was measured begins or ends.
    ends: BTreeSet<u64>,
}

/// A thread by both accounts, in microjoules.
#[derive(Clone, Debug, Default)]
struct Thread {
    comm: String,
    truth: f64,
    reported: f64,
    half_width: f64,
    /// What was counted, by the law of the hardware.
    priced: f64,
}

impl Thread {
    fn error(&self) -> f64 {
        (self.reported / self.truth - 1.0).abs() * 100.0
    }
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
                Check::Timing => figures.push(self.timing()),
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

    /// What each meter said of each stretch of time: package, domain, stretch.
    fn stretches(&self) -> Vec<(usize, usize, Interval)> {
        let file = RecordingFile::open(&self.directory.join("eprof.data")).unwrap();
        let header = &file.catalog.header;
        let mut timeline = Timeline::new(header);
        let mut stretches = Vec::new();
        for record in file.intervals().unwrap() {
            stretches.extend(timeline.push(&record.unwrap()));
        }
        stretches.extend(timeline.finish().0);
        let place = |stretch: Interval| {
            let meter = header
                .meters
                .iter()
                .find(|m| m.id == stretch.meter)
                .unwrap();
            let domain = match meter.domain {
                Domain::Core => 0,
                Domain::Package => 1,
                Domain::Dram => 2,
                other => panic!("no such hardware: {other:?}"),
            };
            let Scope::Package(package) = meter.scope else {
                panic!("no such hardware: {:?}", meter.scope);
            };
            (package as usize, domain, stretch)
        };
        stretches.into_iter().map(place).collect()
    }

    /// The truth about a stretch, and what the meter said, in microjoules.
    fn pair(&self, (package, domain, stretch): &(usize, usize, Interval)) -> Option<(f64, f64)> {
        let (begin, end) = (stretch.begin.0, stretch.end.0);
        let truth = self.truth.between(*package, *domain, begin, end);
        Some((truth, stretch.energy?.0 as f64))
    }

    /// Meters' totals. An update is worth what was drawn in one on the mean or
    /// at the ends of what was measured, where eprof itself begins and ends.
    fn meter(&self) -> Figure {
        let mut totals: BTreeMap<(usize, usize), Total> = BTreeMap::new();
        for stretch in self.stretches() {
            if let Some((truth, said)) = self.pair(&stretch) {
                let (package, domain, stretch) = stretch;
                let total = totals.entry((package, domain)).or_default();
                total.off += said - truth;
                total.truth += truth;
                total.ns += stretch.end.since(stretch.begin).0;
                for at in [stretch.begin.0, stretch.end.0] {
                    // An end of a stretch where no other begins, or the reverse.
                    if !total.ends.remove(&at) {
                        total.ends.insert(at);
                    }
                }
            }
        }
        let updates = totals.iter().map(|((package, domain), total)| {
            let around = total.ends.iter().map(|at| {
                let (before, after) = (at - UPDATE, at + UPDATE);
                self.truth.between(*package, *domain, before, after) / 2.0
            });
            let mean = total.truth / total.ns as f64 * UPDATE as f64;
            let update = around.fold(mean, f64::max);
            (total.off / update, format!("S{package} domain {domain}"))
        });
        let worst = updates.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        let (value, note) = worst.expect("a meter");
        Figure {
            column: Column::Meter,
            value: value.abs(),
            bound: Some(1.0),
            note,
        }
    }

    /// The relative error of single intervals of the package.
    fn timing(&self) -> Figure {
        let stretches = self.stretches();
        let package = stretches.iter().filter(|stretch| stretch.1 == 1);
        let errors: Vec<f64> = package
            .filter_map(|stretch| self.pair(stretch))
            .map(|(truth, said)| (said / truth - 1.0) * 100.0)
            .collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let squares = errors.iter().map(|error| (error - mean).powi(2));
        let sd = (squares.sum::<f64>() / (errors.len() - 1) as f64).sqrt();
        Figure {
            column: Column::Timing,
            value: sd,
            bound: Some(1.0),
            note: format!("{} intervals, mean {mean:+.2} %", errors.len()),
        }
    }

    /// The target's threads by thread id (no id is used twice in one run).
    fn threads(&self) -> BTreeMap<u64, Thread> {
        let mut threads: BTreeMap<u64, Thread> = BTreeMap::new();
        for row in self.report.rows("threads") {
            let thread = threads.entry(row["tid"].as_u64().unwrap()).or_default();
            thread.reported += row["marginal_uj"].as_f64().unwrap_or(0.0);
            thread.half_width += row["ci90_uj"].as_f64().unwrap_or(0.0);
        }
        for (tid, uj) in self.priced() {
            threads.entry(tid).or_default().priced = uj;
        }
        for used in &self.truth.used {
            if used.comm != "eprof"
                && let Some(thread) = threads.get_mut(&u64::from(used.tid))
            {
                thread.truth += used.uj;
                thread.comm.clone_from(&used.comm);
            }
        }
        threads
    }

    /// What the accounts of each thread cost by the linear law of the hardware
    /// (`module/law.c`), in microjoules.
    fn priced(&self) -> BTreeMap<u64, f64> {
        let file = RecordingFile::open(&self.directory.join("eprof.data")).unwrap();
        let mut priced: BTreeMap<u64, f64> = BTreeMap::new();
        for record in file.intervals().unwrap() {
            for thread in record.unwrap().threads {
                let signals = thread.signals;
                let count = |counter: Counter| signals.counts[counter as usize] as f64;
                let uj = 0.8e-3 * signals.on_cpu.0 as f64
                    + 0.9e-3 * count(Counter::Cycles)
                    + 0.5e-3 * count(Counter::Instructions)
                    + 62e-3 * count(Counter::CacheMisses);
                let task = &file.catalog.tasks[thread.task.0 as usize];
                // Before it executes the target, the first process is eprof.
                if task.parent.is_none() {
                    continue;
                }
                *priced.entry(u64::from(task.tid)).or_default() += uj;
            }
        }
        priced
    }

    /// Those above 1 % of the energy.
    fn large(&self) -> Vec<Thread> {
        let threads = self.threads();
        let sum: f64 = threads.values().map(|thread| thread.truth).sum();
        let large = |thread: &Thread| thread.truth > 0.01 * sum;
        threads.into_values().filter(large).collect()
    }

    fn covered(&self) -> (usize, usize) {
        let large = self.large();
        let covered = large
            .iter()
            .filter(|t| (t.reported - t.truth).abs() <= t.half_width);
        (covered.count(), large.len())
    }

    fn threads_figures(&self, known: bool) -> Vec<Figure> {
        let large = self.large();
        let mean = large.iter().map(Thread::error).sum::<f64>() / large.len() as f64;
        let worst = large.iter().max_by(|a, b| a.error().total_cmp(&b.error()));
        let worst = worst.expect("a thread");
        let priced = large
            .iter()
            .map(|t| (t.priced / t.truth - 1.0).abs() * 100.0);
        let counted = known.then(|| Figure {
            column: Column::Counted,
            value: priced.sum::<f64>() / large.len() as f64,
            bound: None,
            note: String::new(),
        });
        let mut figures = vec![
            Figure {
                column: Column::ThreadsMean,
                value: mean,
                bound: known.then_some(3.0),
                note: format!("{} threads", large.len()),
            },
            Figure {
                column: Column::ThreadsWorst,
                value: worst.error(),
                bound: known.then_some(6.0),
                note: format!(
                    "{}: {:.0} mJ for {:.0}",
                    worst.comm,
                    worst.reported / 1e3,
                    worst.truth / 1e3
                ),
            },
        ];
        figures.extend(counted);
        figures
    }

    fn twins(&self, known: bool) -> Figure {
        let large = self.large();
        let twins: Vec<&Thread> = large
            .iter()
            .filter(|t| t.comm.starts_with("mid-"))
            .collect();
        let [a, b] = twins[..] else {
            panic!("not two twins: {large:?}");
        };
        let apart = |a: f64, b: f64| (a - b).abs() / ((a + b) / 2.0) * 100.0;
        let (reported, truth) = (apart(a.reported, b.reported), apart(a.truth, b.truth));
        Figure {
            column: Column::Twins,
            value: (reported - truth).max(0.0),
            bound: known.then_some(0.5),
            note: format!("{reported:.2} for {truth:.2}"),
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

    /// The same recording, shared by time.
    fn by_time(&self) -> Report {
        let report = |option: &str| {
            let output = Command::new(support::eprof())
                .current_dir(self.directory)
                .args(["report", "--format", "json", option, "time"])
                .output()
                .unwrap();
            serde_json::from_slice(&output.stdout).ok()
        };
        let either = report("--attribution").or_else(|| report("--weights"));
        Report(either.expect("a report"))
    }

    fn short(&self, bound: Option<f64>) -> Vec<Figure> {
        let reported = self.threads();
        let named = |used: &&crate::truth::Used| {
            ["hot", "mid", "low", "mem"]
                .iter()
                .any(|kind| used.comm.starts_with(kind))
        };
        let mut missing = 0;
        let (mut truth, mut sum, mut count) = (0.0, 0.0, 0);
        let mut last: BTreeMap<u64, &str> = BTreeMap::new();
        for used in self.truth.used.iter().filter(named) {
            last.insert(u64::from(used.tid), &used.comm);
        }
        let rows: BTreeMap<u64, Vec<&str>> =
            self.report
                .rows("threads")
                .iter()
                .fold(BTreeMap::new(), |mut rows, row| {
                    let comm = row["comm"].as_str().unwrap();
                    rows.entry(row["tid"].as_u64().unwrap())
                        .or_insert_with(Vec::new)
                        .push(comm);
                    rows
                });
        for (tid, comm) in &last {
            count += 1;
            match reported.get(tid).filter(|_| rows[tid].contains(comm)) {
                None => missing += 1,
                Some(thread) => {
                    truth += thread.truth;
                    sum += thread.reported;
                }
            }
        }
        vec![
            Figure {
                column: Column::Missing,
                value: f64::from(missing),
                bound: Some(0.0),
                note: format!("of {count}"),
            },
            Figure {
                column: Column::Sum,
                value: (sum / truth - 1.0).abs() * 100.0,
                bound,
                note: format!("{:.1} mJ for {:.1}", sum / 1e3, truth / 1e3),
            },
        ]
    }

    fn said(&self, code: &str) -> Figure {
        let said = self
            .report
            .rows("caveats")
            .iter()
            .any(|caveat| caveat["code"] == code);
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
