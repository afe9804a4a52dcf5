//! Keeping recordings of the lab, each with its truth, for `tests/lab_twin.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::guest::Results;
use crate::scenario::Scenario;
use crate::truth::Truth;

/// The runs whose recordings are kept.
const KEPT: [&str; 4] = [
    "side-by-side+calibrated",
    "twins-and-others+calibrated",
    "phases-20ms",
    "uncounted-twins",
];

/// Keeps those runs of `scenarios` that are to be kept.
pub fn keep(scenarios: &[&Scenario], results: &Results) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden/lab");
    fs::create_dir_all(&golden).unwrap();
    let is_run = |name: &&str| scenarios.iter().any(|scenario| scenario.is_called(name));
    for name in KEPT.iter().copied().filter(is_run) {
        let from = results.directory.join(name);
        let truth = Truth::read(&from);
        let mut threads: BTreeMap<u32, f64> = BTreeMap::new();
        let mut names: BTreeMap<&str, f64> = BTreeMap::new();
        // What ran beside the target is none of its threads' business; before
        // it executes the target, its first process is eprof.
        for used in truth.used.iter().filter(|used| used.comm != "eprof") {
            *threads.entry(used.tid).or_default() += used.uj;
            *names.entry(&used.comm).or_default() += used.uj;
        }
        let truth = json!({ "threads_uj": threads, "names_uj": names });
        let text = serde_json::to_string_pretty(&truth).unwrap() + "\n";
        fs::write(golden.join(format!("{name}.json")), text).unwrap();
        let recording = fs::read(from.join("eprof.data")).unwrap();
        fs::write(golden.join(format!("{name}.data")), recording).unwrap();
    }
}
