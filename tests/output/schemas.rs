//! Comparisons and repeated runs against their schemas.

use std::ffi::OsString;

use eprof::carbon::Carbon;
use eprof::diff::{Difference, MetricChoice, Question, Side};
use eprof::output::{diff, stat};
use eprof::profile::Profile;
use eprof::repeat::run::Turn;
use eprof::repeat::{Command, Conditions, Repeated, Results, Run};
use eprof::statistics::Confidence;
use eprof::unit::Nanos;
use serde_json::Value;

use super::cases::{estimated, hostile, unmeasured};
use super::synthetic::Synthetic;
use crate::support::schema::Schema;

/// Runs of which each has used a little more than the one before.
fn runs(of: &Synthetic, count: u64) -> Vec<Profile> {
    let one = |run: u64| {
        let mut of = of.clone();
        let stacks = of.threads.iter_mut().flat_map(|thread| &mut thread.stacks);
        stacks.for_each(|(_, uj, _)| *uj += *uj * (run % 7) / 100);
        of.build()
    };
    (0..count).map(one).collect()
}

fn without_baseline() -> Synthetic {
    let mut run = Synthetic::typical();
    run.baseline = false;
    run
}

/// All that can be said of the energy of a run.
fn cases(count: u64) -> Vec<Vec<Profile>> {
    vec![
        runs(&Synthetic::typical(), count),
        runs(&without_baseline(), count),
        runs(&estimated(), count),
        runs(&hostile(), count),
        (0..count).map(|_| unmeasured()).collect(),
    ]
}

/// Without one of its keys, or with another, no document is valid.
fn assert_strict(schema: &Schema, document: &Value) {
    assert_eq!(schema.errors(document), Vec::<String>::new());
    for key in document.as_object().unwrap().keys() {
        let mut bad = document.clone();
        bad.as_object_mut().unwrap().remove(key);
        assert!(!schema.errors(&bad).is_empty(), "without {key}");
    }
    let mut bad = document.clone();
    bad["more"] = Value::Null;
    assert!(!schema.errors(&bad).is_empty(), "with another key");
}

/// Puts `value` where `pointer` points; the last key may be new.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        parent => parent[key] = value,
    }
}

fn assert_notices(schema: &Schema, document: &Value, wrong: &[(&str, Value)]) {
    for (pointer, value) in wrong {
        let mut bad = document.clone();
        set(&mut bad, pointer, value.clone());
        assert!(!schema.errors(&bad).is_empty(), "{pointer}");
    }
}

fn question(metric: MetricChoice, fail_above: Option<f64>) -> Question {
    Question {
        metric,
        confidence: Confidence::NINETY_NINE,
        fail_above,
        functions: Vec::new(),
    }
}

/// What a comparison of `base` with `new` is in JSON.
fn compared(base: &[Profile], new: &[Profile], question: &Question) -> Value {
    let side = |profiles: &[Profile]| {
        let mut side = Side::new();
        for profile in profiles {
            side.add(profile);
        }
        side
    };
    let difference = Difference::of(side(base), side(new), question).unwrap();
    let mut bytes = Vec::new();
    diff::json::write(&difference, ("base", "new"), &mut bytes).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn comparisons_keep_their_schema() {
    let schema = Schema::new(diff::json::SCHEMA);
    let base = runs(&Synthetic::typical(), 6);
    for count in [1, 2, 6] {
        for new in cases(count) {
            for metric in [
                MetricChoice::Auto,
                MetricChoice::CpuTime,
                MetricChoice::Instructions,
            ] {
                let document = compared(&base, &new, &question(metric, None));
                assert_eq!(schema.errors(&document), Vec::<String>::new());
            }
        }
    }
    let question = question(MetricChoice::Energy, Some(0.03));
    let document = compared(&base, &runs(&estimated(), 6), &question);
    assert_eq!(schema.errors(&document), Vec::<String>::new());
    let document = compared(&base, &runs(&hostile(), 6), &question);
    assert_eq!(document["gates"].as_array().unwrap().len(), 1);
    for kind in ["commands", "threads", "functions", "inclusive", "stacks"] {
        assert!(!document[kind].as_array().unwrap().is_empty(), "{kind}");
    }
    assert_strict(&schema, &document);
    assert_notices(
        &schema,
        &document,
        &[
            ("/verdict", Value::from("good")),
            ("/total/more", Value::from(1)),
            ("/functions/0/module", Value::Null),
            ("/functions/0/ratio_interval", Value::from(1)),
            ("/stacks/0/frames", Value::from("main")),
            ("/gates/0/outcome", Value::from("fail")),
            ("/base/runs", Value::from(0)),
        ],
    );
}

/// What `eprof stat` of these commands is in JSON.
fn repeated(commands: &[Vec<Profile>], carbon: Option<Carbon>) -> Value {
    let listed: Vec<Command> = (0..commands.len())
        .map(|at| Command::new(&[OsString::from("./bench"), OsString::from(at.to_string())]))
        .collect();
    let rounds = commands.iter().map(Vec::len).max().unwrap_or(0);
    let mut runs = Vec::new();
    for round in 0..rounds {
        for (command, profiles) in commands.iter().enumerate() {
            let Some(profile) = profiles.get(round) else {
                continue;
            };
            let turn = Turn {
                command,
                round,
                turn: runs.len(),
            };
            let time = Nanos(5_000_000_000 + 10_000_000 * (round % 5) as u64);
            let conditions = match round {
                0 => Conditions::default(),
                _ => Conditions {
                    clock_mhz: Some(3000.0),
                    celsius: Some(-3.5),
                    throttled: Some(1),
                },
            };
            runs.push(Run::of(turn, profile, time, conditions));
        }
    }
    let repeated = Repeated {
        runs,
        failed: None,
        interrupted: None,
        caveats: Vec::new(),
    };
    let mut results = Results::of(&listed, rounds, u64::MAX, repeated);
    results.carbon = carbon;
    let mut bytes = Vec::new();
    stat::json(&results, &mut bytes).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn repeated_runs_keep_their_schema() {
    let schema = Schema::new(stat::SCHEMA);
    for count in [1, 2, 9] {
        let commands = cases(count);
        for command in &commands {
            let alone = repeated(std::slice::from_ref(command), None);
            assert_eq!(schema.errors(&alone), Vec::<String>::new());
        }
        let all = repeated(&commands, None);
        assert_eq!(schema.errors(&all), Vec::<String>::new());
        assert_eq!(all["commands"].as_array().unwrap().len(), 5);
    }
    let nothing = repeated(&[Vec::new(), Vec::new()], None);
    assert_eq!(schema.errors(&nothing), Vec::<String>::new());

    let carbon = "380gCO2e/kWh,source=\"the grid\"".parse().unwrap();
    let pair = [runs(&Synthetic::typical(), 9), runs(&without_baseline(), 9)];
    let document = repeated(&pair, Some(carbon));
    assert!(document["commands"][0]["carbon_g"].is_number());
    assert!(!document["comparisons"].as_array().unwrap().is_empty());
    assert_strict(&schema, &document);
    assert_notices(
        &schema,
        &document,
        &[
            ("/commands/0/measures/energy/unit", Value::from("kWh")),
            ("/commands/0/measures/heat", Value::from(1)),
            ("/commands/0/runs/0/uj", Value::from(1.5)),
            ("/commands/0/runs/0/round", Value::from(0)),
            ("/commands/0/runs/0/celsius", Value::from("hot")),
            ("/comparisons/0/verdict", Value::from("good")),
            ("/source/provenance", Value::from("guessed")),
            ("/carbon/g_per_kwh", Value::Null),
        ],
    );
}
