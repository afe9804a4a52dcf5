//! How well two programs are told apart on this machine: `cargo bench --bench
//! compare [-- BLOCKS]`, as root and on a quiet machine.
//!
//! A small program is recorded in blocks of three runs in random order: as it
//! is, once more, and with 5 % more work in one of its two functions. Then
//! `eprof diff` is asked 40 times, each time with ten of the blocks, whether
//! equals are different and whether the function takes more. The blocks of
//! different tries overlap, so the figures are less exact than their number
//! suggests; `tests/compare` has independent tries, on a simulated machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark"
)]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

use eprof::statistics::{Confidence, Summary};
use serde_json::Value;
use tempfile::TempDir;

const EPROF: &str = env!("CARGO_BIN_EXE_eprof");
const TRIES: usize = 40;
const RUNS: usize = 10;
/// Steps of the function that changes, and of the one that does not.
const STEPS: (u64, u64) = (60_000, 40_000);
/// Seconds that a run takes.
const SECONDS: f64 = 1.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, percent, calls] = arguments.as_slice()
        && word == "work"
    {
        work(percent.parse().unwrap(), calls.parse().unwrap());
        return;
    }
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("SKIPPED: needs root");
        return;
    }
    let blocks = arguments.iter().find_map(|word| word.parse().ok());
    let blocks: usize = blocks.unwrap_or(20).max(RUNS);
    let directory = TempDir::new().unwrap();
    let mut dice = Dice(42);
    record(directory.path(), blocks, &mut dice);
    spread(directory.path(), blocks);
    let mut score = [0; 4];
    for _ in 0..TRIES {
        attempt(directory.path(), blocks, &mut dice, &mut score);
    }
    let [different, total, function, target] = score;
    println!("of {TRIES} comparisons of {RUNS} runs each, out of {blocks} blocks:");
    println!("  equals whose total was called different     {total:3}");
    println!("  equals of which anything was                {different:3}");
    println!("  5 % more work found in the function         {function:3}");
    println!("  the same found in the total (3 % of it)     {target:3}");
}

#[inline(never)]
fn steady(steps: u64) -> u64 {
    (0..steps).fold(1, |x, n| black_box(x ^ n).rotate_left(5))
}

#[inline(never)]
fn changing(steps: u64) -> u64 {
    (0..steps).fold(1, |x, n| black_box(x ^ n).rotate_left(7))
}

fn work(percent: u64, calls: u64) {
    let (changes, stays) = STEPS;
    for _ in 0..calls {
        black_box(changing(changes / 100 * percent));
        black_box(steady(stays));
    }
}

/// Runs the blocks, as `base/N.data`, `same/N.data` and `more/N.data`.
fn record(directory: &Path, blocks: usize, dice: &mut Dice) {
    let program = std::env::current_exe().unwrap();
    let timed = || {
        let began = std::time::Instant::now();
        work(100, 20);
        began.elapsed().as_secs_f64()
    };
    let fastest = (0..20).map(|_| timed()).fold(f64::INFINITY, f64::min);
    let calls = (SECONDS / fastest * 20.0).ceil().to_string();
    for block in 0..=blocks {
        let mut sides = [("base", "100"), ("same", "100"), ("more", "105")];
        dice.shuffle(&mut sides);
        for (side, percent) in sides {
            let place = directory.join(side);
            fs::create_dir_all(&place).unwrap();
            let status = Command::new(EPROF)
                .args(["run", "--quiet", "-F", "997", "-o"])
                .arg(place.join(format!("{block:03}.data")))
                .arg("--")
                .arg(&program)
                .args(["work", percent, &calls])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success());
            if block == 0 {
                // The first warms up.
                fs::remove_file(place.join("000.data")).unwrap();
            }
        }
    }
}

/// How much the runs differ.
fn spread(directory: &Path, blocks: usize) {
    let values = |side: &str, key: &str| -> Vec<f64> {
        let files = (1..=blocks).map(|block| directory.join(side).join(format!("{block:03}.data")));
        let values = files.map(|file| {
            let report = Command::new(EPROF)
                .args(["report", "--format", "json"])
                .arg(file)
                .output()
                .unwrap();
            let report: Value = serde_json::from_slice(&report.stdout).unwrap();
            let rows = report["processes"].as_array().unwrap().iter();
            rows.map(|row| row[key].as_f64().unwrap()).sum()
        });
        values.collect()
    };
    for (key, name) in [("cpu_ns", "CPU time"), ("uj", "energy")] {
        let base = Summary::of(&values("base", key), Confidence::NINETY).unwrap();
        println!(
            "{name}: {:.4e}, standard deviation {:.2} % from run to run",
            base.mean,
            base.relative_sd().unwrap_or_default() * 100.0
        );
    }
}

fn attempt(directory: &Path, blocks: usize, dice: &mut Dice, score: &mut [usize; 4]) {
    let place = TempDir::new_in(directory).unwrap();
    let mut order: Vec<usize> = (1..=blocks).collect();
    dice.shuffle(&mut order);
    for block in &order[..RUNS] {
        // Which of the two equals is the base is a toss.
        let mut equals = ["base", "same"];
        dice.shuffle(&mut equals);
        for (from, to) in [(equals[0], "base"), (equals[1], "same"), ("more", "more")] {
            let to = place.path().join(to);
            fs::create_dir_all(&to).unwrap();
            let file = format!("{block:03}.data");
            fs::hard_link(directory.join(from).join(&file), to.join(&file)).unwrap();
        }
    }
    let diff = |new: &str| -> Value {
        let output = Command::new(EPROF)
            .current_dir(place.path())
            .args(["diff", "base", new, "--format", "json"])
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let kinds = [
        "domains",
        "commands",
        "threads",
        "functions",
        "inclusive",
        "stacks",
    ];
    let equal = diff("same");
    let rows = kinds
        .iter()
        .flat_map(|kind| equal[*kind].as_array().unwrap());
    let mut rows = rows.chain([&equal["total"]]);
    score[0] += usize::from(rows.any(|row| row["changed"] == true));
    score[1] += usize::from(equal["total"]["changed"] == true);
    let differs = diff("more");
    let mut functions = differs["functions"].as_array().unwrap().iter();
    let function = functions.find(|row| {
        let name = row["function"].as_str();
        name.is_some_and(|name| name.ends_with("changing"))
    });
    let more = |row: &Value| row["changed"] == true && row["difference"].as_f64() > Some(0.0);
    score[2] += usize::from(function.is_some_and(more));
    score[3] += usize::from(more(&differs["total"]));
}

/// SplitMix64 (Steele, Lea, Flood, 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as usize % n
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}
