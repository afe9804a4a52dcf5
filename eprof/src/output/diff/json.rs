//! A comparison as JSON, `eprof-diff/1`. The schema is [`SCHEMA`]
//! (`output/diff.schema.json`). Within version 1 keys are only ever
//! added. All keys are always present; what is not known is `null`, never 0.
//!
//! | key | what |
//! |---|---|
//! | `schema` | `eprof-diff/1` |
//! | `metric` | `energy`, `cpu-time` or `instructions`, with its `unit`, and `why` it is not energy where that was not asked for |
//! | `confidence` | of the intervals, before the correction for many rows |
//! | `design` | `interleaved`, `independent` or `single` |
//! | `paired` | whether interleaved runs were compared in pairs, because those have much in common |
//! | `base`, `new` | `name`, `runs`, `commands`, and whether energy is `estimated` |
//! | `verdict` | of the target: `better`, `worse` or `undetected` |
//! | `total`, `duration` | rows: the target, and the time from start to end (ns) |
//! | `other` | rows of the target by the other metrics |
//! | `detectable` | the smallest change of the target that these runs find with a probability of 0.9 |
//! | `runs_needed` | runs of each side that would find the change that was seen |
//! | `domains`, `commands`, `threads`, `functions`, `inclusive`, `stacks` | rows; each kind adds up to `total`, but for `inclusive` (functions with what they call) and `domains` (some meters are part of others) |
//! | `gates` | what was gated: `function` (`null`: the target), `limit`, `increase`, `interval`, `outcome` (`pass`, `undecided`, `exceeded`) |
//! | `caveats` | what makes the comparison less true |
//!
//! A row has its name, `base`, `new` and `difference` in the unit of the
//! metric, `ratio` (new/base), the intervals of both at the `level` at which it
//! was tested (`null`: too small to be tested), `p`, and `changed`.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::caveat::Caveat;
use crate::diff::{By, Difference, Gate, Key, Outcome, Row, Side, Table};
use crate::statistics::{Interval, USUAL_POWER, Verdict};

use super::super::format::sanitize::printable;

/// The name and version of the schema.
pub const VERSION: &str = "eprof-diff/1";

/// The JSON Schema (draft 2020-12) of a comparison.
pub const SCHEMA: &str = include_str!("../diff.schema.json");

/// Writes the comparison of two files or directories called `names`, all of
/// it.
///
/// # Errors
///
/// The error of `out`.
pub fn write(difference: &Difference, names: (&str, &str), mut out: impl Write) -> io::Result<()> {
    let total = &difference.total;
    let contrast = total.contrast.zip(total.tested);
    let design = match (difference.base.runs, difference.new.runs) {
        _ if difference.interleaved => "interleaved",
        (1, 1) => "single",
        _ => "independent",
    };
    let table = |by: By| difference.table(by).map(table);
    let others = difference.others.iter();
    let others: Map<String, Value> = others
        .map(|(metric, of)| (metric.name().to_owned(), row(of)))
        .collect();
    let document = json!({
        "schema": VERSION,
        "metric": {
            "name": difference.metric.name(),
            "unit": difference.metric.unit(),
            "why": difference.why,
        },
        "confidence": difference.confidence.probability(),
        "design": design,
        "paired": difference.blocked,
        "base": side(&difference.base, names.0),
        "new": side(&difference.new, names.1),
        "verdict": match total.verdict() {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Undetected => "undetected",
        },
        "total": row(total),
        "duration": row(&difference.duration),
        "other": others,
        "detectable": contrast.and_then(|(of, sure)| of.detectable(sure, USUAL_POWER)),
        "runs_needed": contrast.and_then(|(of, sure)| of.runs_for_observed(sure, USUAL_POWER)),
        "domains": difference.domains.rows.iter().map(row).collect::<Vec<_>>(),
        "commands": table(By::Command),
        "threads": table(By::Thread),
        "functions": table(By::Function),
        "inclusive": table(By::Inclusive),
        "stacks": table(By::Stack),
        "gates": difference.gates.iter().map(gate).collect::<Vec<_>>(),
        "caveats": difference.caveats.iter().map(caveat).collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&document)?;
    out.write_all(printable(&text).as_bytes())?;
    out.write_all(b"\n")
}

fn caveat(caveat: &Caveat) -> Value {
    json!({ "code": caveat.code, "sentence": caveat.sentence, "hint": caveat.hint })
}

fn side(side: &Side, name: &str) -> Value {
    let commands: Vec<_> = side.commands.iter().collect();
    json!({
        "name": name,
        "runs": side.runs,
        "commands": commands,
        "estimated": side.estimated,
    })
}

fn table(table: &Table) -> Vec<Value> {
    table.rows.iter().map(row).collect()
}

fn interval(of: Option<Interval>) -> Value {
    of.map_or(Value::Null, |of| json!([of.low, of.high]))
}

fn row(row: &Row) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    match &row.key {
        Key::Target => {}
        Key::Domain(domain) => drop(put("domain", json!(domain))),
        Key::Command(command) => drop(put("command", json!(command))),
        Key::Thread(command, thread) => {
            put("command", json!(command));
            put("thread", json!(thread));
        }
        Key::Function(function, module) => {
            put("function", json!(function));
            put("module", json!(module));
        }
        Key::Stack(command, thread, frames) => {
            put("command", json!(command));
            put("thread", json!(thread));
            let frames = frames.iter().map(|frame| frame.key.function.as_str());
            put("frames", frames.collect());
        }
    }
    let changed = row.tested.is_some().then(|| row.changed());
    put("base", json!(row.base));
    put("new", json!(row.new));
    put("difference", json!(row.difference()));
    put("difference_interval", interval(row.difference_interval()));
    put("ratio", json!(row.ratio()));
    put("ratio_interval", interval(row.ratio_interval()));
    put("p", json!(row.contrast.map(|contrast| contrast.p())));
    put("level", json!(row.tested.map(|of| of.probability())));
    put("changed", json!(changed));
    Value::Object(map)
}

fn gate(gate: &Gate) -> Value {
    json!({
        "function": gate.function,
        "limit": gate.limit,
        "increase": gate.increase(),
        "interval": interval(gate.interval()),
        "outcome": match gate.outcome() {
            Outcome::Pass => "pass",
            Outcome::Undecided => "undecided",
            Outcome::Exceeded => "exceeded",
        },
        "runs_needed": gate.runs_to_decide(),
    })
}
