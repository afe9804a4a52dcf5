#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use super::*;
use crate::measurement::Provenance;
use crate::repeat::Conditions;
use crate::statistics::Confidence;
use crate::unit::{Microjoules, Nanos};

/// A second at 10 W, well measured, with nobody else.
fn quiet(round: usize) -> Run {
    // Not a random number, but neither a trend nor all the same.
    let wobble = (round as u64 * 7 % 5) * 10_000;
    Run {
        command: 0,
        round,
        turn: round,
        time: Nanos(1_000_000_000),
        energy: Some(Microjoules(10_000_000 + wobble)),
        above_idle: Some(Microjoules(8_000_000 + wobble)),
        ci90: Microjoules(20_000),
        provenance: Provenance::Measured,
        band: None,
        source: "powercap intel-rapl:0".into(),
        updates: Some(1000.0),
        others: Some(0.001),
        samples: 0,
        exit: 0,
        lost: 0,
        conditions: Conditions {
            clock_mhz: Some(3000.0),
            celsius: Some(50.0),
            throttled: Some(0),
        },
        caveats: Vec::new(),
    }
}

fn codes(change: impl Fn(&mut Run)) -> Vec<String> {
    let mut runs: Vec<Run> = (0..10).map(quiet).collect();
    runs.iter_mut().for_each(change);
    let summary = |measure: Measure| {
        let values: Option<Vec<f64>> = runs.iter().map(|run| measure.of(run)).collect();
        Some((measure, Summary::of(&values?, Confidence::NINETY)?))
    };
    let summaries: Vec<_> = Measure::ALL.into_iter().filter_map(summary).collect();
    let mut caveats = of_command("x", &runs, &summaries);
    caveats.extend(of_all(&runs, runs.len()));
    caveats.into_iter().map(|caveat| caveat.code).collect()
}

#[test]
fn a_quiet_machine_has_no_caveats() {
    assert!(codes(|_| {}).is_empty());
}

#[test]
fn every_trouble_has_its_caveat() {
    let one = |code: &str, change: &dyn Fn(&mut Run)| {
        assert_eq!(codes(change), [code]);
    };
    one("outliers", &|run| {
        if run.round == 4 {
            run.energy = Some(Microjoules(20_000_000));
        }
    });
    // Two percent hardly move the mean of ten.
    assert!(
        codes(|run: &mut Run| {
            if run.round == 4 {
                run.energy = Some(Microjoules(10_200_000));
            }
        })
        .is_empty()
    );
    one("drift", &|run| {
        run.energy = Some(Microjoules(10_000_000 + 100_000 * run.round as u64));
    });
    one("noisy-neighbours", &|run| run.others = Some(0.05));
    one("noisy-neighbours", &|run| {
        if run.round == 2 {
            run.others = Some(0.2);
        }
    });
    one("run-too-short", &|run| run.updates = Some(12.0));
    one("run-coarse", &|run| run.ci90 = Microjoules(900_000));
    one("run-too-short", &|run| {
        run.updates = None;
        run.time = Nanos(2_000_000);
    });
    one("few-samples", &|run| run.samples = 5);
    one("clock-changed", &|run| {
        if run.round == 0 {
            run.conditions.clock_mhz = Some(2500.0);
        }
    });
    one("throttled", &|run| run.conditions.throttled = Some(3));
    one("temperature-changed", &|run| {
        run.conditions.celsius = Some(40.0 + 2.0 * run.round as f64);
    });
    one("target-failed", &|run| run.exit = i32::from(run.round == 1));
    one("runs-lost", &|run| run.lost = 1);
    one("sources-differ", &|run| {
        if run.round == 9 {
            run.source = "model".into();
        }
    });
    one("energy-unknown", &|run| {
        if run.round == 9 {
            run.energy = None;
        }
    });
}

#[test]
fn what_all_runs_say_is_said_once() {
    let mut runs: Vec<Run> = (0..4).map(quiet).collect();
    for run in &mut runs {
        let sentence = format!("the CPUs were {} % busy", run.round);
        run.caveats.push(Caveat::new("baseline-not-idle", sentence));
    }
    runs[2].caveats.push(Caveat::new("odd", "odd"));
    let found = of_all(&runs, 4);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].sentence, "the CPUs were 0 % busy");
    assert!(found[1].sentence.contains("1 of 4 runs"));
}

#[test]
fn runs_that_are_missing_are_missed() {
    let found = of_all(&[quiet(0)], 3);
    assert_eq!(found.first().unwrap().code, "runs-missing");
}

#[test]
fn a_cold_start_asks_for_a_warm_up() {
    let mut runs: Vec<Run> = (0..10).map(quiet).collect();
    runs[0].energy = Some(Microjoules(20_000_000));
    let joules: Vec<f64> = runs.iter().filter_map(Run::joules).collect();
    let summary = Summary::of(&joules, Confidence::NINETY).unwrap();
    let found = of_command("x", &runs, &[(Measure::Energy, summary)]);
    assert!(
        found[0].hint.as_ref().unwrap().contains("--warmup"),
        "{found:?}"
    );
}
