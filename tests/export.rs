//! Exports in the formats of other tools: all from the one ledger, equal to the
//! microjoule. The recordings are those of the lab.

pub(crate) mod proto;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{self, Report, eprof};

const RECORDINGS: [&str; 3] = [
    "twins-and-others+calibrated",
    "phases-20ms",
    "uncounted-twins",
];

fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden/lab")
        .join(format!("{name}.data"))
}

fn run(arguments: &[&str], name: &str) -> Output {
    let mut command = Command::new(eprof());
    command.args(arguments).arg(recording(name));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn export(format: &str, name: &str) -> Vec<u8> {
    run(&["export", "--format", format], name).stdout
}

fn report(name: &str) -> Report {
    Report(serde_json::from_slice(&run(&["report", "--format", "json"], name).stdout).unwrap())
}

#[test]
fn pprof_has_the_targets_energy_time_and_samples() {
    for name in RECORDINGS {
        let report = report(name);
        let mut bytes = Vec::new();
        let gzipped = export("pprof", name);
        flate2::read::GzDecoder::new(&gzipped[..])
            .read_to_end(&mut bytes)
            .unwrap();
        let profile = proto::Profile::read(&bytes);
        assert_eq!(
            profile.types,
            [
                ("energy".into(), "microjoules".into()),
                ("cpu".into(), "nanoseconds".into()),
                ("samples".into(), "count".into())
            ]
        );
        let sum = |at: usize| -> u64 { profile.samples.iter().map(|of| of.values[at]).sum() };
        assert_eq!(sum(0), report.account("target"));
        assert_eq!(sum(1), report.sum("threads", "cpu_ns"));
        assert_eq!(sum(2), report.sum("threads", "samples"));
        assert_eq!(profile.strings[0], "");
        for sample in &profile.samples {
            assert!(!sample.locations.is_empty());
            assert!(
                sample
                    .locations
                    .iter()
                    .all(|id| profile.locations.contains(id))
            );
        }
    }
}

/// A second opinion.
#[test]
fn pprof_itself_reads_the_profile() {
    let go = Command::new("go").arg("version").output();
    if !go.is_ok_and(|output| output.status.success()) {
        return support::skip("there is no go (Debian: apt-get install golang-go)");
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("energy.pb.gz");
    std::fs::write(&file, export("pprof", "phases-20ms")).unwrap();
    let output = Command::new("go")
        .args(["tool", "pprof", "-top", "-sample_index=energy"])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let target = report("phases-20ms").account("target");
    assert!(
        text.contains(&format!("Total samples = {target}microjoules")),
        "{text}"
    );
    assert!(text.contains("phase_hot"), "{text}");
}

#[test]
fn speedscope_has_the_targets_energy_and_time() {
    for name in RECORDINGS {
        let report = report(name);
        let file: Value = serde_json::from_slice(&export("speedscope", name)).unwrap();
        let frames = file["shared"]["frames"].as_array().unwrap();
        let profiles = file["profiles"].as_array().unwrap();
        let sums = profiles.iter().map(|profile| {
            let weights = profile["weights"].as_array().unwrap();
            let samples = profile["samples"].as_array().unwrap();
            assert_eq!(weights.len(), samples.len());
            let mut indices = samples.iter().flat_map(|stack| stack.as_array().unwrap());
            assert!(indices.all(|at| (at.as_u64().unwrap() as usize) < frames.len()));
            let sum: u64 = weights.iter().map(|weight| weight.as_u64().unwrap()).sum();
            assert_eq!(profile["endValue"].as_u64(), Some(sum));
            sum
        });
        assert_eq!(
            sums.collect::<Vec<_>>(),
            [report.account("target"), report.sum("threads", "cpu_ns")]
        );
        // Frames are named once.
        let names: Vec<String> = frames.iter().map(Value::to_string).collect();
        let mut distinct = names.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len());
    }
}

#[test]
fn metrics_add_up_as_the_report_does() {
    for name in RECORDINGS {
        let report = report(name);
        let text = String::from_utf8(export("openmetrics", name)).unwrap();
        assert!(text.ends_with("# EOF\n"));
        let mut sums: BTreeMap<(String, String), u64> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let family = series.split('{').next().unwrap();
            // Every sample belongs to the family that was announced last.
            assert!(text.contains(&format!("# TYPE {family} gauge\n")));
            let meter = series.split("meter=\"").nth(1);
            let meter = meter.map_or("", |rest| rest.split('"').next().unwrap());
            if family.ends_with("energy_joules") {
                let (whole, part) = value.split_once('.').unwrap();
                assert_eq!(part.len(), 6);
                let uj: u64 = format!("{whole}{part}").parse().unwrap();
                *sums.entry((family.into(), meter.into())).or_default() += uj;
            }
        }
        let sum = |family: &str, meter: &str| sums[&(family.to_owned(), meter.to_owned())];
        for meter in report.0["source"]["meters"].as_array().unwrap() {
            let of = meter["name"].as_str().unwrap();
            let total = meter["total_uj"].as_u64().unwrap();
            assert_eq!(sum("eprof_meter_energy_joules", of), total);
            assert_eq!(sum("eprof_account_energy_joules", of), total);
        }
        assert_eq!(
            sum("eprof_command_energy_joules", ""),
            report.account("target")
        );
    }
}

#[test]
fn rows_of_intervals_add_up_to_the_ledger() {
    for name in RECORDINGS {
        let report = report(name);
        let bytes = export("timeseries-csv", name);
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let head = reader.headers().unwrap().clone();
        let at = |column: &str| head.iter().position(|of| of == column).unwrap();
        const ACCOUNTS: [&str; 6] = [
            "target_uj",
            "other_uj",
            "kernel_uj",
            "eprof_uj",
            "idle_uj",
            "unattributed_uj",
        ];
        let mut sums: BTreeMap<(String, &str), u64> = BTreeMap::new();
        let mut ends: BTreeMap<String, u64> = BTreeMap::new();
        let mut cpu: BTreeMap<String, u64> = BTreeMap::new();
        for row in reader.records() {
            let row = row.unwrap();
            let number = |column: &str| -> u64 { row[at(column)].parse().unwrap() };
            let meter = row[at("meter")].to_owned();
            let accounts: u64 = ACCOUNTS.iter().map(|account| number(account)).sum();
            assert_eq!(accounts, number("meter_uj"));
            for account in ACCOUNTS {
                *sums.entry((meter.clone(), account)).or_default() += number(account);
            }
            *cpu.entry(meter.clone()).or_default() += number("target_cpu_ns");
            // In order of time, and no moment twice.
            let end = ends.entry(meter).or_default();
            assert!(number("begin_ns") >= *end && number("end_ns") > number("begin_ns"));
            *end = number("end_ns");
        }
        for row in report.rows("ledger") {
            let meter = row["meter"].as_str().unwrap().to_owned();
            let account = format!("{}_uj", row["account"].as_str().unwrap());
            let account = ACCOUNTS.into_iter().find(|of| *of == account).unwrap();
            assert_eq!(row["uj"].as_u64(), Some(sums[&(meter, account)]));
        }
        // The CPU time of those who paid, and of nobody else.
        let threads = report.sum("threads", "cpu_ns");
        assert!(cpu.values().all(|cpu| *cpu == threads), "{cpu:?} {threads}");
    }
}

#[test]
fn a_file_is_written_where_it_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("energy.folded");
    let path = file.to_str().unwrap();
    let written = run(
        &["export", "--format", "folded", "--output", path],
        "phases-20ms",
    );
    assert!(written.stdout.is_empty());
    let folded = export("folded", "phases-20ms");
    assert_eq!(std::fs::read(&file).unwrap(), folded);
    let sum: u64 = String::from_utf8(folded)
        .unwrap()
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum();
    assert_eq!(sum, report("phases-20ms").account("target"));
}
