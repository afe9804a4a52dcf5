//! What `eprof calibrate` measures, with a fake meter: a powercap tree that
//! another thread advances by a law.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::calibrate::{calibrate, json, stderr};
use crate::support::powercap::{Powercap, RANGE, Zone};
use crate::{support, turn};

/// Watts of the fake package when nothing runs.
const IDLE: f64 = 5.0;
/// And for each busy CPU.
const PER_CPU: f64 = 6.0;

/// A package whose power is [`IDLE`] and `per_cpu` for each busy CPU of this
/// machine.
fn meter(per_cpu: f64) -> Powercap {
    let zone = Zone {
        directory: "intel-rapl:0",
        name: "package-0",
        start: 1_000_000,
        range: RANGE,
    };
    let ticks = busy_seconds();
    Powercap::new(vec![zone], move |seconds| {
        [seconds * IDLE + (busy_seconds() - ticks) * per_cpu]
    })
}

/// CPU seconds of this machine so far, in which something ran.
fn busy_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap();
    let ticks: Vec<f64> = text
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .skip(1)
        .map(|word| word.parse().unwrap())
        .collect();
    // proc_stat(5): user, nice, system, irq, softirq; steal is no time of
    // ours.
    [0, 1, 2, 5, 6].iter().map(|at| ticks[*at]).sum::<f64>() / 100.0
}

/// What was saved; `None` for nothing.
fn saved(home: &Path) -> Option<Value> {
    let text = std::fs::read(home.join("eprof/calibration.json")).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

#[test]
fn a_law_of_time_is_found_on_the_ladder_and_saved() {
    let _alone = turn();
    if !support::root() {
        return;
    }
    let meter = meter(PER_CPU);
    let home = TempDir::new().unwrap();
    let arguments = [
        "--duration",
        "25s",
        "--idle-time",
        "1s",
        "--signals",
        "time",
        "--format",
        "json",
    ];
    let output = calibrate(home.path(), &arguments, Some(meter.path()));
    drop(meter);
    let document = json(&output);
    if document["quiet"]["busy"].as_f64().unwrap() > 0.2 {
        // With all CPUs busy all the time there is no law to be seen.
        support::absent("other programs keep this machine busy");
        return;
    }
    assert_eq!(
        output.status.code(),
        Some(0),
        "{} {document:#}",
        stderr(&output)
    );
    let found = &document["meters"][0];
    assert_eq!(found["name"], "intel-rapl:0");
    // Whatever else ran on this machine drew power, too; the law is the same.
    let model = &found["model"];
    let watts = model["busy_cpu"]["watts"].as_f64().unwrap();
    assert!((watts - PER_CPU).abs() < 0.15 * PER_CPU, "{document:#}");
    let intercept = model["intercept"].as_f64().unwrap();
    assert!((intercept - IDLE).abs() < 0.25 * IDLE, "{document:#}");

    let file = saved(home.path()).unwrap();
    assert_eq!(file["schema"], "eprof-calibration/2");
    let kept = &file["meters"]["intel-rapl:0"];
    assert_eq!(kept["domain"], "package");
    assert!(kept["watts"].as_f64().unwrap() >= 0.9 * IDLE);
    assert_eq!(kept["model"]["terms"][0]["signal"], "time");
}

#[test]
fn idle_power_alone_needs_no_kernel_programs() {
    let _alone = turn();
    let meter = meter(0.0);
    let home = TempDir::new().unwrap();
    let arguments = ["--idle-only", "--idle-time", "1s"];
    let output = calibrate(home.path(), &arguments, Some(meter.path()));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let kept = &saved(home.path()).unwrap()["meters"]["intel-rapl:0"];
    let watts = kept["watts"].as_f64().unwrap();
    assert!((watts - IDLE).abs() < 0.1 * IDLE, "{watts}");
    assert!(kept["model"].is_null());
    // A second time with --dry-run changes nothing.
    let before = std::fs::read(home.path().join("eprof/calibration.json")).unwrap();
    let dry = [arguments.as_slice(), &["--dry-run"]].concat();
    assert_eq!(
        calibrate(home.path(), &dry, Some(meter.path()))
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        std::fs::read(home.path().join("eprof/calibration.json")).unwrap(),
        before
    );
}

#[test]
fn a_busy_machine_is_said_or_refused() {
    let _alone = turn();
    let meter = meter(0.0);
    let home = TempDir::new().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let arguments = ["--idle-only", "--idle-time", "1s"];
        let output = calibrate(home.path(), &arguments, Some(meter.path()));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("busy while idle power"),
            "{}",
            stderr(&output)
        );
        std::fs::remove_file(home.path().join("eprof/calibration.json")).unwrap();
        let strict = [arguments.as_slice(), &["--strict"]].concat();
        let output = calibrate(home.path(), &strict, Some(meter.path()));
        assert_eq!(output.status.code(), Some(69), "{}", stderr(&output));
        stop.store(true, Ordering::Relaxed);
    });
    assert!(saved(home.path()).is_none());
}

#[test]
fn without_a_meter_there_is_nothing_to_calibrate_against() {
    let home = TempDir::new().unwrap();
    let empty = TempDir::new().unwrap();
    let output = calibrate(home.path(), &[], Some(empty.path()));
    assert_eq!(output.status.code(), Some(69), "{}", stderr(&output));
    assert!(stderr(&output).contains("--from"), "{}", stderr(&output));
    assert!(saved(home.path()).is_none());
}
