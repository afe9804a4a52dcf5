//! The Firefox Profiler's processed profile format
//! (<https://github.com/firefox-devtools/profiler/blob/main/docs-developer/processed-profile-format.md>,
//! and its types in `src/types/profile.ts`, version 55).

use std::io::Read as _;
use std::process::Command;

use eprof::attribute::Account;
use eprof::output::export::firefox;
use serde_json::Value;

use super::recordings::{
    Analysed, RECORDINGS, analysed, hostile, interrupted, path, recording, silent,
};
use crate::support::eprof;

fn exported(of: &Analysed) -> Value {
    let mut bytes = Vec::new();
    firefox::write(&of.profile, &of.samples, &mut bytes).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn list<'v>(of: &'v Value, name: &str) -> &'v [Value] {
    of[name]
        .as_array()
        .unwrap_or_else(|| panic!("no {name} in {of}"))
}

/// Every column is as long as the table says, and every index points to a row.
fn check_table(table: &Value, columns: &[&str]) -> usize {
    let length = table["length"].as_u64().unwrap() as usize;
    for column in columns {
        assert_eq!(list(table, column).len(), length, "{column}");
    }
    length
}

fn check_indices(table: &Value, column: &str, most: usize) {
    for at in list(table, column) {
        assert!(
            at.is_null() || (at.as_u64().unwrap() as usize) < most,
            "{column}"
        );
    }
}

/// The weights of a thread, after a look at everything that a reader needs.
fn check_thread(thread: &Value, categories: &[Value]) -> u64 {
    let frames = check_table(&thread["frameTable"], &["func", "category", "subcategory"]);
    let stacks = check_table(&thread["stackTable"], &["frame", "prefix"]);
    let functions = check_table(&thread["funcTable"], &["name"]);
    let strings = list(thread, "stringArray").len();
    check_indices(&thread["funcTable"], "name", strings);
    check_indices(&thread["frameTable"], "func", functions);
    check_indices(&thread["frameTable"], "category", categories.len());
    check_indices(&thread["stackTable"], "frame", frames);
    for (at, prefix) in list(&thread["stackTable"], "prefix").iter().enumerate() {
        assert!(prefix.is_null() || (prefix.as_u64().unwrap() as usize) < at);
    }
    let pairs = list(&thread["frameTable"], "category").iter();
    for (category, sub) in pairs.zip(list(&thread["frameTable"], "subcategory")) {
        let category = &categories[category.as_u64().unwrap() as usize];
        assert!((sub.as_u64().unwrap() as usize) < list(category, "subcategories").len());
    }
    let samples = &thread["samples"];
    check_table(
        samples,
        &["stack", "timeDeltas", "weight", "threadCPUDelta"],
    );
    check_indices(samples, "stack", stacks);
    assert_eq!(samples["weightType"], "samples");
    // Time never goes back.
    assert!(
        list(samples, "timeDeltas")
            .iter()
            .all(|of| of.as_f64().unwrap() >= 0.0)
    );
    list(samples, "weight")
        .iter()
        .map(|of| of.as_u64().unwrap())
        .sum()
}

#[test]
fn weights_and_tracks_are_the_ledger() {
    for name in RECORDINGS {
        let of = analysed(&recording(name), None);
        let file = exported(&of);
        assert_eq!(file["meta"]["preprocessedProfileVersion"], 55);
        let categories = list(&file["meta"], "categories");
        let threads = list(&file, "threads");
        assert_eq!(threads.len(), of.profile.threads.len());
        let weights: u64 = threads.iter().map(|of| check_thread(of, categories)).sum();
        assert_eq!(
            weights,
            of.profile.ledger.account(Account::Target).with_idle.0
        );
        // Thread by thread, too.
        for row in &of.profile.threads {
            let tid = row.tid.to_string();
            let same = |of: &&Value| of["tid"].as_str() == Some(&tid);
            let thread = threads.iter().find(same).unwrap();
            assert_eq!(check_thread(thread, categories), row.energy.with_idle.0);
            let deltas = list(&thread["samples"], "timeDeltas").iter();
            let last: f64 = deltas.map(|of| of.as_f64().unwrap()).sum();
            assert!(last <= of.profile.summary.duration.seconds() * 1e3 + 100.0);
            // In microseconds, each rounded down.
            let cpu = list(&thread["samples"], "threadCPUDelta").iter();
            let cpu: u64 = cpu.map(|of| of.as_u64().unwrap_or(0)).sum();
            let samples = list(&thread["samples"], "weight").len() as u64;
            assert!(row.cpu.0 / 1000 - cpu <= samples, "{} {cpu}", row.cpu.0);
        }
        let counters = list(&file, "counters");
        assert_eq!(counters.len(), of.profile.ledger.meters.len());
        for (counter, meter) in counters.iter().zip(&of.profile.ledger.meters) {
            assert_eq!(counter["category"], "power");
            assert_eq!(microjoules(counter), meter.total.0);
            check_table(&counter["samples"], &["timeDeltas", "count", "number"]);
            let deltas = list(&counter["samples"], "timeDeltas");
            assert!(deltas.iter().all(|of| of.as_f64().unwrap() >= 0.0));
            assert!((counter["mainThreadIndex"].as_u64().unwrap() as usize) < threads.len());
        }
    }
}

/// A microjoule is 10⁶ / 3600 picowatt-hours.
fn microjoules(counter: &Value) -> u64 {
    let counts = list(&counter["samples"], "count").iter();
    let pwh: f64 = counts.map(|of| of.as_f64().unwrap()).sum();
    (pwh * 3600.0 / 1e6).round() as u64
}

#[test]
fn unknown_energy_ends_a_track() {
    let of = analysed(&interrupted(recording("phases-20ms")), None);
    let file = exported(&of);
    let counters = list(&file, "counters");
    assert!(counters.len() > of.profile.ledger.meters.len());
    let all: u64 = counters.iter().map(microjoules).sum();
    let meters = of.profile.ledger.meters.iter();
    assert_eq!(all, meters.map(|meter| meter.total.0).sum::<u64>());
    let weights = list(&file, "threads").iter();
    let weights: u64 = weights
        .map(|of| check_thread(of, list(&file["meta"], "categories")))
        .sum();
    assert_eq!(
        weights,
        of.profile.ledger.account(Account::Target).with_idle.0
    );

    // Without any energy, the samples still count.
    let of = analysed(&silent(recording("phases-20ms")), None);
    let file = exported(&of);
    assert!(list(&file, "counters").is_empty());
    let weights = list(&file, "threads").iter();
    let weights: u64 = weights
        .map(|of| check_thread(of, list(&file["meta"], "categories")))
        .sum();
    assert_eq!(weights, of.profile.summary.samples);
}

#[test]
fn names_are_harmless() {
    let of = analysed(&hostile(recording("uncounted-twins")), None);
    let text = exported(&of).to_string();
    assert!(
        !text.contains('\u{202e}') && !text.contains("\\u001b"),
        "{text}"
    );
}

#[test]
fn a_name_that_ends_in_gz_is_packed() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let file = directory.path().join(name);
        let status = Command::new(eprof())
            .args(["export", "--format", "firefox", "-o"])
            .arg(&file)
            .arg(path("phases-20ms"))
            .status();
        assert!(status.unwrap().success());
        std::fs::read(file).unwrap()
    };
    let (plain, packed) = (write("a.json"), write("a.json.gz"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain);
    assert!(packed.len() * 4 < plain.len());
}
