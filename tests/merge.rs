//! `eprof merge`: several recordings in one file, whose sum is that of its
//! parts, to the microjoule, in every output. The recordings are those of the
//! lab.

mod large;
mod memory;
mod ranks;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::export::proto;
use crate::support::{self, Report, eprof};

const PARTS: [&str; 3] = [
    "twins-and-others+calibrated",
    "phases-20ms",
    "uncounted-twins",
];

fn part(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden/lab")
        .join(format!("{name}.data"))
}

fn run(arguments: &[&str], files: &[&Path]) -> Output {
    let output = Command::new(eprof())
        .args(arguments)
        .args(files)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    output
}

fn merge(files: &[PathBuf], into: &Path) {
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    run(&["merge", "-o", into.to_str().unwrap()], &files);
}

fn merged(directory: &Path) -> PathBuf {
    let path = directory.join("all.data");
    merge(&PARTS.map(part), &path);
    path
}

fn json(file: &Path) -> Report {
    let output = run(&["report", "--format", "json"], &[file]);
    Report(serde_json::from_slice(&output.stdout).unwrap())
}

/// Every number that adds up, by what it is of.
fn amounts(report: &Report) -> BTreeMap<String, u64> {
    let mut amounts = BTreeMap::new();
    let mut add = |key: String, value: &Value| {
        *amounts.entry(key).or_insert(0) += value.as_u64().unwrap_or(0);
    };
    add("energy".into(), &report.0["energy_uj"]);
    add("target".into(), &report.0["target"]["uj"]);
    let text = |row: &Value, key: &str| row[key].to_string();
    for row in report.rows("ledger") {
        let key = format!("{} {} {}", row["meter"], row["domain"], row["account"]);
        add(format!("ledger {key}"), &row["uj"]);
    }
    for (table, by, fields) in [
        ("processes", "comm", &["uj", "cpu_ns", "samples"][..]),
        ("threads", "comm", &["uj", "cpu_ns", "samples"]),
        ("functions", "function", &["self_uj", "total_uj", "samples"]),
        ("modules", "module", &["uj", "samples"]),
        ("cpus", "cpu", &["uj", "cpu_ns"]),
    ] {
        for row in report.rows(table) {
            for field in fields {
                add(format!("{table} {} {field}", text(row, by)), &row[field]);
            }
        }
    }
    amounts
}

#[test]
fn the_report_is_the_sum_of_its_parts() {
    let directory = tempfile::tempdir().unwrap();
    let sum = json(&merged(directory.path()));
    sum.assert_balanced();
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for (at, name) in PARTS.into_iter().enumerate() {
        let part = json(&part(name));
        for (key, value) in amounts(&part) {
            *expected.entry(key).or_insert(0) += value;
        }
        let member = &sum.0["members"][at];
        assert_eq!(member["uj"], part.0["target"]["uj"], "{name}");
        assert_eq!(member["total_uj"], part.0["energy_uj"], "{name}");
        assert_eq!(member["host"], part.0["recording"]["host"], "{name}");
        assert_eq!(member["labels"]["file"], format!("{name}.data"));
        // Conserved in the member, too.
        let own = |row: &&Value| row["member"] == at;
        let threads = sum.rows("threads").iter().filter(own);
        let threads: u64 = threads.map(|row| row["uj"].as_u64().unwrap()).sum();
        assert_eq!(threads, part.account("target"), "{name}");
    }
    assert_eq!(amounts(&sum), expected);
    assert_eq!(sum.sum("members", "uj"), sum.account("target"));
}

#[test]
fn every_format_adds_up() {
    let directory = tempfile::tempdir().unwrap();
    let all = merged(directory.path());
    let target = json(&all).account("target");

    let folded = run(&["flamegraph", "--folded"], &[&all]).stdout;
    let folded = String::from_utf8(folded).unwrap();
    let uj = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
    assert_eq!(folded.lines().map(uj).sum::<u64>(), target);
    // A level for each run, which has what its recording has.
    for name in PARTS {
        let own = folded
            .lines()
            .filter(|line| line.starts_with(&format!("{name}.data;")));
        let own: u64 = own.map(uj).sum();
        assert_eq!(own, json(&part(name)).account("target"), "{name}");
    }

    let svg = directory.path().join("all.svg");
    run(&["flamegraph", "-o", svg.to_str().unwrap()], &[&all]);
    let svg = std::fs::read_to_string(svg).unwrap();
    assert!(svg.contains(&format!("total_samples=\"{target}\"")));

    let speedscope = run(&["export", "--format", "speedscope"], &[&all]).stdout;
    let speedscope: Value = serde_json::from_slice(&speedscope).unwrap();
    assert_eq!(speedscope["profiles"][0]["endValue"], target);

    let gzipped = run(&["export", "--format", "pprof"], &[&all]).stdout;
    let mut bytes = Vec::new();
    let mut unzip = flate2::read::GzDecoder::new(&gzipped[..]);
    unzip.read_to_end(&mut bytes).unwrap();
    let profile = proto::Profile::read(&bytes);
    assert_eq!(profile.types[0].0, "energy");
    let values = profile.samples.iter().map(|sample| sample.values[0]);
    assert_eq!(values.sum::<u64>(), target);
    assert!(
        profile
            .strings
            .iter()
            .any(|text| text == "phases-20ms.data")
    );

    let metrics = run(&["export", "--format", "openmetrics"], &[&all]).stdout;
    let metrics = String::from_utf8(metrics).unwrap();
    for family in [
        "eprof_member_energy_joules{",
        "eprof_command_energy_joules{",
    ] {
        let lines = metrics.lines().filter(|line| line.starts_with(family));
        let joules = lines.map(|line| line.rsplit_once(' ').unwrap().1.replace('.', ""));
        let sum: u64 = joules.map(|joules| joules.parse::<u64>().unwrap()).sum();
        assert_eq!(sum, target, "{family}");
    }

    let series = run(&["export", "--format", "timeseries-csv"], &[&all]).stdout;
    let mut series = csv::Reader::from_reader(&series[..]);
    let head = series.headers().unwrap().clone();
    let column = |name: &str| head.iter().position(|column| column == name).unwrap();
    let (uj, nested, file) = (column("target_uj"), column("nested"), column("file"));
    let mut by_file: BTreeMap<String, u64> = BTreeMap::new();
    for row in series.records() {
        let row = row.unwrap();
        if &row[nested] == "false" {
            *by_file.entry(row[file].to_owned()).or_insert(0) += row[uj].parse::<u64>().unwrap();
        }
    }
    for name in PARTS {
        let own = json(&part(name)).account("target");
        assert_eq!(by_file[&format!("{name}.data")], own, "{name}");
    }
}

#[test]
fn what_was_merged_can_be_merged_again_and_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    merge(&[part(PARTS[0]), part(PARTS[1])], &path("two.data"));
    merge(&[path("two.data"), part(PARTS[2])], &path("three.data"));
    merge(&PARTS.map(part), &path("flat.data"));
    let read = |name: &str| std::fs::read(path(name)).unwrap();
    assert_eq!(read("three.data"), read("flat.data"));

    // Each recording is there, byte by byte.
    let whole = read("flat.data");
    for name in PARTS {
        let part = std::fs::read(part(name)).unwrap();
        assert!(
            whole.windows(part.len()).any(|window| window == part),
            "{name}"
        );
    }
    let piped = run(
        &["merge", "-o", "-"],
        &PARTS.map(part).each_ref().map(|p| p.as_path()),
    );
    assert_eq!(piped.stdout, whole);
}

#[test]
fn what_is_missing_is_said_and_the_rest_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let all = merged(directory.path());
    let whole = std::fs::read(&all).unwrap();
    let cut = directory.path().join("cut.data");
    let lengths = PARTS.map(|name| std::fs::metadata(part(name)).unwrap().len() as usize);

    // Into the last recording: it ends early, as a recording that was cut off.
    std::fs::write(&cut, &whole[..whole.len() - lengths[2] / 2]).unwrap();
    let report = json(&cut);
    report.assert_balanced();
    assert_eq!(report.rows("members").len(), 3);
    let codes = |report: &Report| -> Vec<String> {
        let caveats = report.rows("caveats").iter();
        caveats
            .map(|of| of["code"].as_str().unwrap().to_owned())
            .collect()
    };
    let said = codes(&report);
    assert!(said.contains(&"member-cut-off".to_owned()), "{said:?}");
    assert!(
        said.contains(&"recording-unfinished".to_owned()),
        "{said:?}"
    );

    // Before its head.
    std::fs::write(&cut, &whole[..whole.len() - lengths[2] - 8]).unwrap();
    let report = json(&cut);
    assert_eq!(report.rows("members").len(), 2);
    let said = codes(&report);
    assert!(said.contains(&"members-missing".to_owned()), "{said:?}");
}

#[test]
fn garbage_is_an_error_or_a_caveat_and_never_a_panic() {
    let directory = tempfile::tempdir().unwrap();
    let small = directory.path().join("small.data");
    large::write(&small, 3, 5);
    let all = directory.path().join("all.data");
    merge(&[small.clone(), small], &all);
    let whole = std::fs::read(&all).unwrap();
    let damaged = directory.path().join("damaged.data");
    let mut state = 1_u64;
    let mut next = |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    for round in 0..600 {
        let mut bytes = whole.clone();
        match round % 3 {
            0 => bytes.truncate(next(whole.len())),
            1 => bytes[next(whole.len())] ^= 1 << next(8),
            // The heads are where it hurts.
            _ => bytes[next(120)] = next(256) as u8,
        }
        std::fs::write(&damaged, &bytes).unwrap();
        if let Ok(profile) = eprof::pipeline::Analysis::new(&damaged).profile() {
            let target = profile.ledger.account(eprof::attribute::Account::Target);
            let threads: u64 = profile
                .threads
                .iter()
                .map(|row| row.energy.with_idle.0)
                .sum();
            assert_eq!(threads, target.with_idle.0, "round {round}");
        }
    }
}

#[test]
fn what_is_no_recording_is_refused_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let all = directory.path().join("all.data");
    let garbage = directory.path().join("garbage");
    std::fs::write(&garbage, "hello").unwrap();
    let output = Command::new(eprof())
        .args(["merge", "-o"])
        .arg(&all)
        .args([&part(PARTS[0]), &garbage])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{stderr}");
    assert!(stderr.contains("garbage"), "{stderr}");
    assert!(!all.exists());
}
