//! `eprof run` with real hooks and a fake meter: a powercap tree whose
//! counters another thread advances at a known power. So the ledger can be
//! held against a truth, on a machine without any meter.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use support::{Recorded, example, root};
use tempfile::TempDir;

/// One zone: its name, watts, counter at the start, and range.
struct Zone {
    directory: &'static str,
    name: &'static str,
    watts: f64,
    start: u64,
    range: u64,
}

const RANGE: u64 = 262_143_328_850;

const fn zone(directory: &'static str, name: &'static str, watts: f64) -> Zone {
    Zone {
        directory,
        name,
        watts,
        start: 1_000_000,
        range: RANGE,
    }
}

/// A powercap tree that counts for as long as it lives.
struct Meter {
    root: TempDir,
    stop: Arc<AtomicBool>,
    counting: Option<JoinHandle<()>>,
}

impl Meter {
    fn new(zones: Vec<Zone>) -> Self {
        let root = TempDir::new().unwrap();
        let files: Vec<(Zone, File)> = zones
            .into_iter()
            .map(|zone| {
                let directory = root.path().join("sys/class/powercap").join(zone.directory);
                std::fs::create_dir_all(&directory).unwrap();
                std::fs::write(directory.join("name"), format!("{}\n", zone.name)).unwrap();
                std::fs::write(
                    directory.join("max_energy_range_uj"),
                    format!("{}\n", zone.range),
                )
                .unwrap();
                let file = File::create(directory.join("energy_uj")).unwrap();
                write(&file, zone.start);
                (zone, file)
            })
            .collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let counting = std::thread::spawn(move || {
            let begin = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let seconds = begin.elapsed().as_secs_f64();
                for (zone, file) in &files {
                    let used = (seconds * zone.watts * 1e6) as u64;
                    write(file, (zone.start + used) % (zone.range + 1));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self {
            root,
            stop,
            counting: Some(counting),
        }
    }

    fn path(&self) -> &Path {
        self.root.path()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(counting) = self.counting.take() {
            let _ = counting.join();
        }
    }
}

/// In place and in one write, so that a reader sees the old value or the new.
fn write(file: &File, value: u64) {
    file.write_all_at(format!("{value:020}\n").as_bytes(), 0)
        .unwrap();
}

fn run(meter: &Meter, options: &[&str]) -> Recorded {
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
    let meter = Meter::new(vec![
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
    let mut package = zone("intel-rapl:0", "package-0", 20.0);
    package.start = RANGE - 6_000_000;
    let meter = Meter::new(vec![package, zone("intel-rapl:0:1", "dram", 3.0)]);
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
    let meter = Meter::new(vec![zone("intel-rapl:0", "package-0", 0.0)]);
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
    let meter = Meter::new(vec![zone("intel-rapl:0", "package-0", 20.0)]);
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
