//! What unwinding costs: `cargo bench --bench unwind_cost`, as root.
//!
//! 1. `samples`: mean time of the sampling program, by the kernel's own
//!    measuring, at 30 frames of a C program without frame pointers: walked by
//!    tables, copied, and left to the kernel and frame pointers (which see a
//!    few frames only). The same without a user stack to walk is the leaf of
//!    the last. Run time and memory of eprof beside it.
//! 2. `tables`: the time to open a file, to compile one page of its code
//!    (64 KiB; the mean of 64 all over the file) and all of them, and the size
//!    of the rows, also per megabyte of code: of the C library, of this
//!    program, and of the largest libraries of the Rust compiler; or of the
//!    files named after `tables`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use aya::sys::Stats;
use eprof::unwind::bytes::Unchanged;
use eprof::unwind::store::Store;

/// Rounds, of which the median is told.
const ROUNDS: usize = 5;

/// Calls itself so often that a sample has 30 user frames, and works there.
const PROGRAM: &str = "
volatile unsigned long sum;
__attribute__((noinline)) void work(void) { for (long i = 0; i < 3000000; i++) sum += i * i; }
__attribute__((noinline)) int down(int n) { if (n == 0) { work(); return 1; } int r = down(n - 1); sum += r; return r + 1; }
int main(void) { for (int i = 0; i < 300; i++) down(24); return 0; }
";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'))
        .collect();
    match words.as_slice() {
        [] => {
            samples();
            tables(&largest());
        }
        ["samples", ..] => samples(),
        ["tables"] => tables(&largest()),
        ["tables", files @ ..] => {
            tables(&files.iter().map(PathBuf::from).collect::<Vec<_>>());
        }
        _ => eprintln!("choose samples or tables"),
    }
}

fn samples() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("SKIPPED: samples needs root");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (source, program) = (directory.path().join("a.c"), directory.path().join("a"));
    std::fs::write(&source, PROGRAM).unwrap();
    let compiled = Command::new("gcc")
        .args(["-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls"])
        .args(["-fno-ipa-cp", "-o"])
        .args([&program, &source])
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: there is no gcc");
        return;
    }
    let statistics = aya::sys::enable_stats(Stats::RunTime).unwrap();
    println!("a sample at 30 user frames, median of {ROUNDS} runs at 997 Hz");
    println!(
        "  {:<10} {:>12} {:>10} {:>12} {:>12}",
        "", "program [ns]", "whole", "eprof CPU", "memory"
    );
    for way in ["tables", "copies", "pointers"] {
        let mut runs: Vec<[f64; 4]> = (0..ROUNDS)
            .map(|_| run(directory.path(), &program, way))
            .collect();
        let mut median = |column: usize| {
            runs.sort_by(|a, b| a[column].total_cmp(&b[column]));
            runs[ROUNDS / 2][column]
        };
        println!(
            "  {way:<10} {:>12.0} {:>8.1} % {:>9.0} ms {:>8.0} MiB",
            median(0),
            median(1),
            median(2),
            median(3)
        );
    }
    drop(statistics);
}

/// Mean time of the sampling program, share of whole stacks, CPU time and
/// memory of eprof.
fn run(directory: &Path, program: &Path, way: &str) -> [f64; 4] {
    let status = Command::new(env!("CARGO_BIN_EXE_eprof"))
        .current_dir(directory)
        .env("EPROF_UNWINDING", way)
        .args(["run", "--no-flamegraph", "-F", "997"])
        .args(["--format", "json", "--report", "report.json", "--"])
        .arg(program)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let text = std::fs::read(directory.join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let footprint = &report["footprint"];
    let programs = footprint["programs"].as_array().unwrap();
    let sample = programs
        .iter()
        .find(|program| program["name"] == "sample")
        .unwrap();
    let number = |value: &serde_json::Value| value.as_f64().unwrap_or(f64::NAN);
    let stacks = &report["stacks"];
    [
        number(&sample["mean_ns"]),
        100.0 * number(&stacks["whole"]) / number(&stacks["samples"]),
        number(&footprint["cpu_ns"]) / 1e6,
        number(&footprint["peak_rss_bytes"]) / f64::from(1 << 20),
    ]
}

/// Pages of which the mean is told.
const PAGES: u32 = 64;

fn tables(files: &[PathBuf]) {
    println!("unwind tables, median of {ROUNDS}");
    println!(
        "  {:<34} {:>9} {:>9} {:>9} {:>10} {:>9} {:>9} {:>12}",
        "file", "file", "code", "opened", "a page", "all", "rows", "rows / code"
    );
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let size = std::fs::metadata(path).unwrap().len() >> 20;
        let Some(mut costs) = (0..ROUNDS).map(|_| cost(path)).collect::<Option<Vec<_>>>() else {
            println!("  {name:<34} {size:>5} MiB no unwind information");
            continue;
        };
        let (code, rows) = (costs[0].1, costs[0].2);
        let mut median = |column: usize| {
            costs.sort_by(|a, b| a.0[column].total_cmp(&b.0[column]));
            costs[ROUNDS / 2].0[column]
        };
        let mib = code as f64 / f64::from(1 << 20);
        println!(
            "  {name:<34} {size:>5} MiB {mib:>5.0} MiB {:>6.2} ms {:>7.3} ms {:>6.1} ms {rows:>9} {:>6.0} KiB/MiB",
            median(0) * 1e3,
            median(1) * 1e3,
            median(2) * 1e3,
            rows as f64 * 4.0 / 1024.0 / mib
        );
    }
}

/// Seconds to open a file, to compile a page of it, to compile all of them;
/// bytes of code; rows.
fn cost(path: &Path) -> Option<([f64; 3], u64, usize)> {
    let mut store = Store::new(None);
    let file = Unchanged::new(std::fs::File::open(path).unwrap()).unwrap();
    let begin = Instant::now();
    let table = store.open(Box::new(file)).ok()?;
    let opened = begin.elapsed().as_secs_f64();
    let (_, count) = table.pages();
    let step = (count / PAGES).max(1);
    let some = (0..count).step_by(step as usize);
    let pages = some.clone().count();
    let begin = Instant::now();
    some.for_each(|number| store.compile(&table, number));
    let page = begin.elapsed().as_secs_f64() / pages as f64;
    let mut store = Store::new(None);
    let file = Unchanged::new(std::fs::File::open(path).unwrap()).unwrap();
    let begin = Instant::now();
    let table = store.open(Box::new(file)).ok()?;
    (0..count).for_each(|number| store.compile(&table, number));
    let all = begin.elapsed().as_secs_f64();
    let code = table.code().iter().map(|segment| segment.length).sum();
    Some(([opened, page, all], code, store.rows()))
}

/// The C library, this program, and large libraries.
fn largest() -> Vec<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut files: Vec<PathBuf> = maps
        .lines()
        .filter(|line| line.contains("libc.so") || line.contains("libc-"))
        .filter_map(|line| line.split_whitespace().nth(5))
        .map(PathBuf::from)
        .take(1)
        .collect();
    files.push(std::env::current_exe().unwrap());
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = sysroot.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let libraries = sysroot.map(|sysroot| std::fs::read_dir(Path::new(&sysroot).join("lib")));
    for entry in libraries.into_iter().flatten().flatten().flatten() {
        let large = entry.metadata().is_ok_and(|file| file.len() > 100 << 20);
        if large && entry.file_name().to_string_lossy().contains(".so") {
            files.push(entry.path());
        }
    }
    files
}
