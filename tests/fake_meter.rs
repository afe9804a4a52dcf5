//! `eprof run` with real hooks and a fake meter: a powercap tree whose
//! counters another thread advances at a known power. So the ledger can be
//! held against a truth, on a machine without any meter.

use crate::support::powercap::{Powercap, RANGE, Zone};
use crate::support::{self, Recorded, example, root};

/// A zone, and its watts.
const fn zone(directory: &'static str, name: &'static str, watts: f64) -> (Zone, f64) {
    let zone = Zone {
        directory,
        name,
        start: 1_000_000,
        range: RANGE,
    };
    (zone, watts)
}

/// A powercap tree of constant powers.
fn meter(zones: Vec<(Zone, f64)>) -> Powercap {
    let (zones, watts): (Vec<Zone>, Vec<f64>) = zones.into_iter().unzip();
    Powercap::new(zones, move |seconds| {
        watts
            .iter()
            .map(|watts| watts * seconds)
            .collect::<Vec<f64>>()
    })
}

fn run(meter: &Powercap, options: &[&str]) -> Recorded {
    let run = Recorded::with(options, &[example("two_functions")], |command| {
        command.env("EPROF_SYSROOT", meter.path());
    });
    assert_eq!(run.code(), 0, "{}", run.stderr());
    run
}

fn domain_total(report: &support::Report, domain: &str) -> u64 {
    report
        .rows("ledger")
        .iter()
        .filter(|row| row["domain"] == domain)
        .map(|row| row["uj"].as_u64().unwrap_or(0))
        .sum()
}

#[test]
fn the_ledger_is_the_meter() {
    if !root() {
        return;
    }
    let meter = meter(vec![
        zone("intel-rapl:0", "package-0", 20.0),
        zone("intel-rapl:0:0", "core", 12.0),
        zone("intel-rapl:0:1", "dram", 3.0),
    ]);
    let report = run(&meter, &["--idle-power", "package=5W,dram=1W,core=0W"]).report();
    report.assert_balanced();
    assert_eq!(report.0["source"]["kind"], "powercap");
    assert_eq!(report.0["source"]["provenance"], "measured");
    let seconds = report.0["duration_s"].as_f64().unwrap();
    for (domain, watts) in [("package", 20.0), ("core", 12.0), ("dram", 3.0)] {
        let joules = domain_total(&report, domain) as f64 / 1e6;
        let truth = watts * seconds;
        // The counter advances about every millisecond; the run is measured
        // between two readings just outside the target's life.
        assert!(
            (joules - truth).abs() < 0.03 * truth + 0.2,
            "{domain}: {joules} J, not {truth} J"
        );
    }
    // The core is inside the package: shown, not added.
    let energy = report.0["energy_uj"].as_u64().unwrap();
    assert_eq!(
        energy,
        domain_total(&report, "package") + domain_total(&report, "dram")
    );
    // One busy thread on a machine of n CPUs leaves idle its 6 W, less shares.
    let idle_marginal: u64 = report
        .rows("ledger")
        .iter()
        .filter(|row| row["account"] == "idle" && row["nested"] != true)
        .map(|row| row["marginal_uj"].as_u64().unwrap())
        .sum();
    let truth = 6.0 * seconds;
    assert!(
        (idle_marginal as f64 / 1e6 - truth).abs() < 0.03 * truth + 0.1,
        "{idle_marginal}"
    );
}

#[test]
fn a_counter_that_wraps_loses_and_invents_nothing() {
    if !root() {
        return;
    }
    // The package wraps 0.3 s (6 J) after the start, DRAM does not.
    let (mut package, watts) = zone("intel-rapl:0", "package-0", 20.0);
    package.start = RANGE - 6_000_000;
    let meter = meter(vec![(package, watts), zone("intel-rapl:0:1", "dram", 3.0)]);
    let report = run(&meter, &["--idle-power", "none"]).report();
    report.assert_balanced();
    let seconds = report.0["duration_s"].as_f64().unwrap();
    for (domain, watts) in [("package", 20.0), ("dram", 3.0)] {
        let joules = domain_total(&report, domain) as f64 / 1e6;
        let truth = watts * seconds;
        assert!(
            (joules - truth).abs() < 0.03 * truth + 0.2,
            "{domain}: {joules} J, not {truth} J"
        );
    }
}

#[test]
fn a_stalled_counter_is_not_zero_joules() {
    if !root() {
        return;
    }
    let meter = meter(vec![zone("intel-rapl:0", "package-0", 0.0)]);
    let report = run(&meter, &[]).report();
    report.assert_balanced();
    assert_eq!(
        report.0["source"]["provenance"], "estimated",
        "it falls back, and says so"
    );
    assert!(report.0["energy_uj"].as_u64().unwrap() > 0);
}

#[test]
fn an_unknown_baseline_is_said_and_not_invented() {
    if !root() {
        return;
    }
    let meter = meter(vec![zone("intel-rapl:0", "package-0", 20.0)]);
    let report = run(&meter, &["--idle-power", "none"]).report();
    report.assert_balanced();
    assert!(
        report
            .rows("threads")
            .iter()
            .all(|row| row["marginal_uj"].is_null()),
        "{:#}",
        report.0
    );
    assert_eq!(report.account("idle"), 0);
    assert!(
        report
            .rows("caveats")
            .iter()
            .any(|row| row["sentence"].as_str().unwrap().contains("idle")),
        "{:#}",
        report.0["caveats"]
    );
}
