//! Repeated runs for programs: `eprof-stat/1`.
//!
//! Within version 1 keys are only ever added. All keys are always present;
//! what was not measured is `null`, never 0. Rounds and runs count from 1.
//!
//! | key | what |
//! |---|---|
//! | `schema` | `eprof-stat/1` |
//! | `rounds`, `seed` | how often each command was to be run, and what the order was drawn from |
//! | `source` | `meters`, `provenance` (`measured` or `estimated`), `band` |
//! | `carbon` | the factor `g_per_kwh` and its `source`, if it was asked for |
//! | `commands` | per command its `name`, `argv`, `measures`, mean `carbon_g`, `runs` and `caveats` |
//! | `comparisons` | each command but the first against the first (`base`) |
//! | `caveats` | what makes all of it less true |
//!
//! A measure (`energy`, `above_idle`, `time`, `power`, `energy_delay`) has
//! `unit`, `runs`, `mean`, the 90 % interval of the mean (`low`, `high`; `null`
//! of one run), `median`, `min`, `max`, `sd`, the positions of `outliers` among
//! the runs, and the `drift` from the first run to the last (`change` as a part
//! of the median, `p`). A comparison has `ratio`, its interval at `confidence`,
//! the `verdict` (`better`, `worse`, `undetected`; less is better), the change
//! that is `detectable` with so many runs in nine of ten cases, and the
//! `runs_needed` to find the difference that was seen.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::carbon::Carbon;
use crate::caveat::Caveat;
use crate::repeat::results::{CommandRuns, Comparison};
use crate::repeat::{Conditions, Measure, Results, Run};
use crate::statistics::{Summary, Verdict};

use super::super::format::sanitize::printable;

/// The name and version of the schema.
pub const VERSION: &str = "eprof-stat/1";

/// The JSON Schema (draft 2020-12) of repeated runs.
pub const SCHEMA: &str = include_str!("../stat.schema.json");

#[derive(Serialize)]
struct Document<'r> {
    schema: &'static str,
    rounds: usize,
    seed: u64,
    source: Source<'r>,
    carbon: Option<Factor<'r>>,
    commands: Vec<Command<'r>>,
    comparisons: Vec<Compared<'r>>,
    caveats: &'r [Caveat],
}

#[derive(Serialize)]
struct Source<'r> {
    meters: &'r str,
    provenance: &'static str,
    band: Option<Band>,
}

#[derive(Serialize)]
struct Factor<'r> {
    g_per_kwh: f64,
    source: Option<&'r str>,
}

#[derive(Serialize)]
struct Band {
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct Command<'r> {
    name: &'r str,
    argv: Vec<String>,
    measures: BTreeMap<Measure, Measured>,
    carbon_g: Option<f64>,
    runs: Vec<OneRun>,
    caveats: &'r [Caveat],
}

#[derive(Serialize)]
struct Measured {
    unit: &'static str,
    runs: usize,
    mean: f64,
    low: Option<f64>,
    high: Option<f64>,
    median: f64,
    min: f64,
    max: f64,
    sd: Option<f64>,
    outliers: Vec<usize>,
    drift: Option<Trend>,
}

#[derive(Serialize)]
struct Trend {
    change: f64,
    p: f64,
}

#[derive(Serialize)]
struct OneRun {
    round: usize,
    turn: usize,
    exit_code: i32,
    duration_s: f64,
    uj: Option<u64>,
    marginal_uj: Option<u64>,
    ci90_uj: Option<u64>,
    watts: Option<f64>,
    others: Option<f64>,
    samples: u64,
    lost: u64,
    #[serde(flatten)]
    conditions: Conditions,
}

#[derive(Serialize)]
struct Compared<'r> {
    command: &'r str,
    base: &'r str,
    measure: Measure,
    ratio: f64,
    low: f64,
    high: f64,
    confidence: f64,
    verdict: &'static str,
    detectable: Option<f64>,
    runs_needed: Option<usize>,
}

/// Writes the document.
///
/// # Errors
///
/// The error of `out`.
pub fn json(results: &Results, mut out: impl Write) -> io::Result<()> {
    let text = serde_json::to_string_pretty(&document(results))?;
    out.write_all(printable(&text).as_bytes())?;
    writeln!(out)
}

fn document(results: &Results) -> Document<'_> {
    let name = |at: usize| {
        let command = results.commands.get(at);
        command.map_or("", |of| of.command.name.as_str())
    };
    Document {
        schema: VERSION,
        rounds: results.rounds,
        seed: results.seed,
        source: Source {
            meters: &results.source,
            provenance: match results.is_estimated() {
                true => "estimated",
                false => "measured",
            },
            band: results.band.map(|(low, high)| Band { low, high }),
        },
        carbon: results.carbon.as_ref().map(|carbon| Factor {
            g_per_kwh: carbon.grams_per_kwh,
            source: carbon.source.as_deref(),
        }),
        commands: results
            .commands
            .iter()
            .map(|of| command(of, results.carbon.as_ref()))
            .collect(),
        comparisons: results
            .comparisons
            .iter()
            .map(|of| compared(of, name(of.command), name(0)))
            .collect(),
        caveats: &results.caveats,
    }
}

fn command<'r>(of: &'r CommandRuns, carbon: Option<&Carbon>) -> Command<'r> {
    let words = of.command.words.iter();
    let measures = of.summaries.iter();
    Command {
        name: &of.command.name,
        argv: words
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        measures: measures
            .map(|(measure, summary)| (*measure, measured(*measure, summary)))
            .collect(),
        carbon_g: of
            .summary(Measure::Energy)
            .zip(carbon)
            .map(|(energy, carbon)| carbon.grams_of_joules(energy.mean)),
        runs: of.runs.iter().map(one_run).collect(),
        caveats: &of.caveats,
    }
}

fn measured(measure: Measure, of: &Summary) -> Measured {
    Measured {
        unit: measure.unit(),
        runs: of.runs,
        mean: of.mean,
        low: of.interval.map(|interval| interval.low),
        high: of.interval.map(|interval| interval.high),
        median: of.median,
        min: of.min,
        max: of.max,
        sd: of.sd,
        outliers: of.outliers.iter().map(|at| at + 1).collect(),
        drift: of.drift.map(|drift| Trend {
            change: drift.change,
            p: drift.p,
        }),
    }
}

fn one_run(run: &Run) -> OneRun {
    OneRun {
        round: run.round + 1,
        turn: run.turn + 1,
        exit_code: run.exit,
        duration_s: run.time.seconds(),
        uj: run.energy.map(|energy| energy.0),
        marginal_uj: run.above_idle.map(|energy| energy.0),
        ci90_uj: run.energy.map(|_| run.ci90.0),
        watts: run.watts(),
        others: run.others,
        samples: run.samples,
        lost: run.lost,
        conditions: run.conditions,
    }
}

fn compared<'r>(of: &Comparison, command: &'r str, base: &'r str) -> Compared<'r> {
    Compared {
        command,
        base,
        measure: of.measure,
        ratio: of.ratio,
        low: of.interval.low,
        high: of.interval.high,
        confidence: of.confidence.probability(),
        verdict: match of.verdict {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Undetected => "undetected",
        },
        detectable: of.detectable,
        runs_needed: of.needed,
    }
}
