//! `eprof stat` with real hooks and a fake meter of known power.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::powercap::{Powercap, RANGE, Zone};
use crate::support::{eprof, example, root};
use crate::turn;

/// Watts of the fake package, all of which are said to be idle power: then
/// what a program is charged with follows from its CPU time alone, whatever
/// else runs.
const WATTS: f64 = 20.0;

fn meter() -> Powercap {
    let zone = Zone {
        directory: "intel-rapl:0",
        name: "package-0",
        start: 1_000_000,
        range: RANGE,
    };
    Powercap::new(vec![zone], |seconds| [WATTS * seconds])
}

/// Joules of a program that uses so many CPU seconds.
fn truth(cpu_seconds: f64) -> f64 {
    let cpus = std::thread::available_parallelism().unwrap().get();
    WATTS * cpu_seconds / cpus as f64
}

fn stat(meter: &Powercap, directory: &Path, arguments: &[&str]) -> Output {
    Command::new(eprof())
        .current_dir(directory)
        .env("EPROF_SYSROOT", meter.path())
        .args(["stat", "--idle-power", "20W"])
        .args(arguments)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

#[test]
fn twice_the_work_is_twice_the_energy() {
    let _alone = turn();
    if !root() {
        return;
    }
    let (meter, directory) = (meter(), tempfile::tempdir().unwrap());
    let spin = example("deep_stack");
    let spin = spin.to_str().unwrap();
    let output = stat(
        &meter,
        directory.path(),
        &[
            "-r", "6", "--seed", "7", "-n", "one", "-n", "two", "--save", "kept", "--format",
            "json", "--", spin, "0.1", "1", "--", spin, "0.2", "1",
        ],
    );
    let report = json(&output);
    assert_eq!(report["schema"], "eprof-stat/1");
    assert_eq!(report["source"]["provenance"], "measured");

    // The truth is in the interval, but for the CPU time of beginning and
    // ending a process (a few milliseconds), which is the target's too, and
    // for what came before its exec, which its clock counts and is eprof's.
    for (command, seconds) in report["commands"]
        .as_array()
        .unwrap()
        .iter()
        .zip([0.1, 0.2])
    {
        let energy = &command["measures"]["energy"];
        let of = |key: &str| {
            energy[key]
                .as_f64()
                .unwrap_or_else(|| panic!("{command:#}"))
        };
        let (least, most) = (truth(seconds - 0.002), truth(seconds + 0.015));
        assert!(
            of("low") <= most && of("high") >= least,
            "{energy} is not {least} J to {most} J"
        );
        assert!(of("min") <= of("median") && of("median") <= of("max"));
        assert_eq!(energy["runs"], 6);
        for run in command["runs"].as_array().unwrap() {
            let of = |key: &str| run[key].as_f64().unwrap();
            let joules = of("watts") * of("duration_s");
            assert!((joules * 1e6 / of("uj") - 1.0).abs() < 1e-6, "{run}");
        }
    }
    let energy = &report["comparisons"][0];
    assert_eq!(energy["measure"], "energy");
    assert_eq!(energy["verdict"], "worse", "{energy}");
    let ratio = energy["ratio"].as_f64().unwrap();
    assert!((1.75..=2.1).contains(&ratio), "{energy}");

    // Each round has each command once; the orders differ.
    let mut turns: BTreeMap<u64, u64> = BTreeMap::new();
    for (at, command) in report["commands"].as_array().unwrap().iter().enumerate() {
        let runs = command["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 6);
        for (round, run) in runs.iter().enumerate() {
            assert_eq!(run["round"], round + 1);
            let turn = run["turn"].as_u64().unwrap();
            assert_eq!((turn - 1) / 2, round as u64, "{run}");
            turns.insert(turn, at as u64);
        }
    }
    let order: Vec<u64> = turns.into_values().collect();
    let expected: Vec<u64> = eprof::repeat::order::rounds(2, 6, 7)
        .concat()
        .into_iter()
        .map(|at| at as u64)
        .collect();
    assert_eq!(order, expected);
    let first: Vec<&u64> = order.iter().step_by(2).collect();
    assert!(first.contains(&&0) && first.contains(&&1), "{order:?}");

    // The recordings say the same.
    for (at, name) in ["one", "two"].iter().enumerate() {
        for round in 1..=6 {
            let path = directory
                .path()
                .join(format!("kept/{name}/{round:03}.data"));
            let profile = eprof::pipeline::Analysis::new(&path).profile().unwrap();
            let target = profile.ledger.account(eprof::attribute::Account::Target);
            let run = &report["commands"][at]["runs"][round - 1];
            assert_eq!(run["uj"], target.with_idle.0, "{}", path.display());
        }
    }
}

#[test]
fn the_table_says_the_same_to_people() {
    let _alone = turn();
    if !root() {
        return;
    }
    let (meter, directory) = (meter(), tempfile::tempdir().unwrap());
    let spin = example("deep_stack");
    let spin = spin.to_str().unwrap();
    let arguments = ["-r", "3", "--", spin, "0.05", "1", "--", spin, "0.1", "1"];
    let output = stat(&meter, directory.path(), &arguments);
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    for word in [
        "energy", "time", "power", "median", "--seed", "against", "worse",
    ] {
        assert!(table.contains(word), "{word}: {table}");
    }
    assert!(!table.contains('\x1b') && !table.contains('~'), "{table}");
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "nothing is kept: {left:?}");
}

#[test]
fn a_command_that_fails_ends_it_unless_told_otherwise() {
    let _alone = turn();
    if !root() {
        return;
    }
    let (meter, directory) = (meter(), tempfile::tempdir().unwrap());
    let failing = ["sh", "-c", "echo seen; echo why not >&2; exit 3"];
    let arguments = [&["-r", "2", "--"][..], &failing].concat();
    let output = stat(&meter, directory.path(), &arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("exit code 3 in round 1"), "{stderr}");
    assert!(
        stderr.contains("why not") && stderr.contains("--ignore-failure"),
        "{stderr}"
    );
    assert!(output.stdout.is_empty(), "{output:?}");

    let arguments = [&["-r", "2", "-i", "--format", "json", "--"][..], &failing].concat();
    let report = json(&stat(&meter, directory.path(), &arguments));
    let command = &report["commands"][0];
    assert_eq!(command["runs"][1]["exit_code"], 3);
    let caveats = command["caveats"].as_array().unwrap();
    assert!(
        caveats.iter().any(|of| of["code"] == "target-failed"),
        "{command}"
    );
}

#[test]
fn preparation_and_warm_up_are_done_and_not_measured() {
    let _alone = turn();
    if !root() {
        return;
    }
    let (meter, directory) = (meter(), tempfile::tempdir().unwrap());
    let arguments = [
        "-r",
        "3",
        "--warmup",
        "2",
        "--prepare",
        "echo p >> log",
        "--format",
        "json",
        "--",
        "sh",
        "-c",
        "echo r >> log",
    ];
    let report = json(&stat(&meter, directory.path(), &arguments));
    assert_eq!(report["commands"][0]["runs"].as_array().unwrap().len(), 3);
    let log = std::fs::read_to_string(directory.path().join("log")).unwrap();
    assert_eq!(log, "p\nr\n".repeat(5));

    let arguments = ["-r", "1", "--prepare", "exit 4", "--", "touch", "ran"];
    let output = stat(&meter, directory.path(), &arguments);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(!directory.path().join("ran").exists());
}

#[test]
fn whoever_asks_for_an_end_gets_what_was_measured() {
    let _alone = turn();
    if !root() {
        return;
    }
    // By a signal before the third run; what prepares it is told, or it would
    // keep eprof waiting.
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (meter, directory) = (meter(), tempfile::tempdir().unwrap());
        let prepare = format!(
            "echo p >> log; [ $(wc -l < log) -lt 3 ] || {{ kill -{signal} $PPID; exec sleep 1000; }}"
        );
        let output = Command::new(eprof())
            .current_dir(directory.path())
            .env("EPROF_SYSROOT", meter.path())
            .env("TMPDIR", directory.path())
            .args(["stat", "--idle-power", "20W", "-r", "4", "--format", "json"])
            .args(["--prepare", &prepare, "--", "sleep", "0.01"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["commands"][0]["runs"].as_array().unwrap().len(), 2);
        let caveats = report["caveats"].as_array().unwrap();
        assert!(
            caveats.iter().any(|of| of["code"] == "interrupted"),
            "{report:#}"
        );
        let left = std::fs::read_dir(directory.path()).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["log"]);
    }
}

#[test]
fn output_is_thrown_away_or_let_through() {
    let _alone = turn();
    if !root() {
        return;
    }
    let (meter, directory) = (meter(), tempfile::tempdir().unwrap());
    let echo = ["--", "sh", "-c", "echo said; cat; echo beside >&2"];
    let arguments = [&["-r", "1"][..], &echo].concat();
    let output = stat(&meter, directory.path(), &arguments);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.starts_with("eprof stat"), "{stdout}");
    assert!(!stdout.lines().any(|line| line == "said"), "{stdout}");
    assert!(output.stderr.is_empty(), "{output:?}");

    let arguments = [&["-r", "2", "--show-output"][..], &echo].concat();
    let output = stat(&meter, directory.path(), &arguments);
    assert_eq!(output.stdout, b"said\nsaid\n");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("beside") && stderr.contains("eprof stat"),
        "{stderr}"
    );
}

#[test]
fn clock_and_heat_are_told_where_the_kernel_shows_them() {
    let _alone = turn();
    if !root() {
        return;
    }
    let (meter, directory) = (meter(), tempfile::tempdir().unwrap());
    let write = |path: &str, text: &str| {
        let path = meter.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
        "1200000\n",
    );
    write(
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq",
        "3400000\n",
    );
    write("sys/class/thermal/thermal_zone0/temp", "41000\n");
    write("sys/class/thermal/thermal_zone1/temp", "63500\n");
    // The target heats the machine, as far as the kernel says.
    let hot = format!(
        "echo 80000 > {}/sys/class/thermal/thermal_zone1/temp; sleep 0.2",
        meter.path().display()
    );
    let cool = format!(
        "echo 63500 > {}/sys/class/thermal/thermal_zone1/temp",
        meter.path().display()
    );
    let arguments = [
        "-r",
        "1",
        "--prepare",
        &cool,
        "--seed",
        "1",
        "--format",
        "json",
        "--",
        "sleep",
        "0.2",
        "--",
        "sh",
        "-c",
        &hot,
    ];
    let report = json(&stat(&meter, directory.path(), &arguments));
    let run = |at: usize| &report["commands"][at]["runs"][0];
    assert_eq!(run(0)["clock_mhz"], 3400.0);
    assert_eq!(run(0)["celsius"], 63.5);
    assert_eq!(run(1)["celsius"], 80.0);
    assert_eq!(run(0)["throttled"], Value::Null);
    let caveats = report["caveats"].as_array().unwrap();
    assert!(
        caveats.iter().any(|of| of["code"] == "temperature-changed"),
        "{report:#}"
    );
}

#[test]
fn a_run_that_is_repeated_keeps_all_recordings_and_draws_their_sum() {
    let _alone = turn();
    if !root() {
        return;
    }
    let (meter, directory) = (meter(), tempfile::tempdir().unwrap());
    let spin = example("deep_stack");
    let output = Command::new(eprof())
        .current_dir(directory.path())
        .env("EPROF_SYSROOT", meter.path())
        .args([
            "run",
            "--repeat",
            "3",
            "-o",
            "base/%n.data",
            "--flamegraph",
            "all.svg",
        ])
        .args([
            "--idle-power",
            "20W",
            "--format",
            "json",
            "--report",
            "stat.json",
            "--",
        ])
        .arg(&spin)
        .args(["0.05", "3"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    assert!(lines >= 3, "the target's output is its own: {output:?}");
    let report = std::fs::read(directory.path().join("stat.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let runs = report["commands"][0]["runs"].as_array().unwrap();
    let sum: u64 = runs.iter().map(|run| run["uj"].as_u64().unwrap()).sum();
    let mut recorded = 0;
    for number in 1..=3 {
        let path = directory.path().join(format!("base/{number:03}.data"));
        let profile = eprof::pipeline::Analysis::new(&path).profile().unwrap();
        recorded += profile
            .ledger
            .account(eprof::attribute::Account::Target)
            .with_idle
            .0;
    }
    assert_eq!(recorded, sum);
    let svg = std::fs::read_to_string(directory.path().join("all.svg")).unwrap();
    assert!(
        svg.contains(&format!("total_samples=\"{sum}\"")),
        "not {sum} µJ"
    );
}
