//! How often equals are called different, and how often a difference is found:
//! the same program recorded twice, and with 5 % more work in one function.

use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use super::machine::Program;

const TRIES: u64 = 40;
const RUNS: usize = 10;

/// `eprof diff BASE NEW OPTIONS --format json`.
pub(crate) fn diff(base: &Path, new: &Path, options: &[&str]) -> (Value, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_eprof"))
        .arg("diff")
        .args([base, new])
        .args(options)
        .args(["--format", "json"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let document = serde_json::from_slice(&output.stdout);
    (
        document.unwrap_or_else(|_| panic!("{errors}")),
        output.status.code().unwrap(),
    )
}

/// The kinds of rows.
pub(crate) const KINDS: [&str; 5] = ["commands", "threads", "functions", "inclusive", "stacks"];

/// The rows that are called changed, by their names.
pub(crate) fn changed(document: &Value) -> Vec<String> {
    let rows = KINDS.iter().chain(&["domains"]);
    let rows = rows.flat_map(|kind| document[*kind].as_array().unwrap());
    rows.chain([&document["total"]])
        .filter(|row| row["changed"] == true)
        .map(|row| {
            let name = ["function", "frames", "thread", "command", "domain"];
            let name = name.iter().find_map(|key| row.get(*key));
            name.map_or("target".to_owned(), |name| name.to_string())
        })
        .collect()
}

fn row<'d>(document: &'d Value, function: &str) -> &'d Value {
    let rows = document["functions"].as_array().unwrap();
    rows.iter().find(|row| row["function"] == function).unwrap()
}

#[derive(Debug, Default)]
struct Score {
    called_different: usize,
    found: usize,
    failed: usize,
    passed_equals: usize,
}

fn try_once(seed: u64, slower: &str) -> Score {
    let directory = TempDir::new().unwrap();
    let place = |name: &str| directory.path().join(name);
    let (base, same, more) = (place("base"), place("same"), place("more"));
    // Interleaved, as `eprof stat` and the examples do it.
    let program = Program::default();
    program.record(&base, RUNS, seed * 3, 1_000, 30);
    program.record(&same, RUNS, seed * 3 + 1, 1_010, 30);
    let slower = Program::with(
        if slower == "parse" {
            "parse"
        } else {
            "compress"
        },
        1.05,
    );
    slower.record(&more, RUNS, seed * 3 + 2, 1_020, 30);
    let function = slower.factors[0].0;
    let gate = ["--fail-above", "1%", "--function", function];
    let (equal, code) = diff(&base, &same, &gate);
    let (differs, failed) = diff(&base, &more, &gate);
    assert_eq!(equal["design"], "interleaved");
    let found = &row(&differs, function);
    Score {
        called_different: usize::from(!changed(&equal).is_empty()),
        found: usize::from(found["changed"] == true && found["difference"].as_f64() > Some(0.0)),
        failed: usize::from(failed == 5),
        passed_equals: usize::from(code == 0),
    }
}

#[test]
fn equals_are_hardly_ever_different_and_five_percent_are_nearly_always_found() {
    let workers = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let scores: Vec<Score> = thread::scope(|scope| {
        let work = |worker: u64| {
            let tries = (0..TRIES).filter(move |n| n % workers == worker);
            tries
                .map(|n| try_once(n, ["parse", "compress"][n as usize % 2]))
                .collect()
        };
        let threads: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || -> Vec<Score> { work(worker) }))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let count = |of: fn(&Score) -> usize| scores.iter().map(of).sum::<usize>();
    let all = scores.len();
    let score = Score {
        called_different: count(|of| of.called_different),
        found: count(|of| of.found),
        failed: count(|of| of.failed),
        passed_equals: count(|of| of.passed_equals),
    };
    eprintln!("of {all}: {score:?}");
    assert_eq!(all as u64, TRIES);
    assert!(score.called_different * 100 <= all * 5, "{score:?}");
    assert!(score.found * 100 >= all * 90, "{score:?}");
    assert_eq!(score.passed_equals, all, "{score:?}");
}
