//! eprof beside other profilers, as root, all at the same sampling rate:
//!
//! ```text
//! cargo bench --bench profilers                    everything
//! cargo bench --bench profilers -- python rustc    workloads with these in their names
//! ```
//!
//! prints a table: the share of whole stacks (by the criterion of `cargo test
//! --test stacks`, the same code for all profilers), how much longer the target
//! takes (ratio of medians of interleaved runs, by the target's own clock), CPU
//! time and peak memory of the profiler's process while it records, and
//! until functions have names (eprof: all in one run; perf: `perf script`, which
//! unwinds only now, without names; samply: with `--unstable-presymbolicate`),
//! and the size of its recording. Lowers `kernel.perf_event_paranoid` to 1 for
//! as long as it runs: samply asks for that even of root.
//!
//! Needs `perf` (Debian: linux-perf) and `samply` (`cargo install samply`);
//! leaves out what is not there, and says so.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark, which shares files with a test"
)]

#[path = "../../tests/stacks/compile.rs"]
mod compile;
#[path = "../../tests/stacks/elf.rs"]
mod elf;
#[path = "profilers/measure.rs"]
mod measure;
#[path = "../../tests/stacks/perf_script.rs"]
mod perf_script;
#[path = "../../tests/stacks/program.rs"]
mod program;
#[path = "../../tests/stacks/recorded.rs"]
mod recorded;
#[path = "profilers/samply_profile.rs"]
mod samply_profile;
#[path = "../../tests/stacks/system.rs"]
mod system;
#[path = "profilers/tools.rs"]
mod tools;
#[path = "../../tests/stacks/walk.rs"]
mod walk;
#[path = "profilers/workloads.rs"]
mod workloads;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use measure::Run;
use tools::Tool;
use walk::{Demand, Images, ROOTS};
use workloads::Workload;

/// Runs of each workload below each profiler.
const ROUNDS: usize = 3;
/// The setting that samply insists on.
const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("SKIPPED: needs root");
        return;
    }
    let wanted = |workload: &Workload| {
        let name = workload.name.to_lowercase();
        let mut filters = arguments.iter().filter(|word| !word.starts_with('-'));
        let none = filters.clone().next().is_none();
        none || filters.any(|filter| name.contains(&filter.to_lowercase()))
    };
    let _paranoid = Setting::lower(PARANOID, "1");
    let home = tempfile::tempdir().unwrap();
    let tools = Tool::all();
    println!(
        "| workload | profiler | whole stacks | target | CPU while it ran, else | memory while it ran, in all | disk |"
    );
    println!("|---|---|---|---|---|---|---|");
    let timer = measure::timer(home.path());
    let mut images = Images::default();
    for workload in workloads::all(home.path()).iter().filter(|one| wanted(one)) {
        compare(workload, &tools, &timer, &mut images);
    }
}

/// Prints the rows of a workload.
fn compare(workload: &Workload, tools: &[Tool], timer: &Path, images: &mut Images) {
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); tools.len()];
    // Interleaved: what else the machine does is the same for all.
    for _ in 0..ROUNDS {
        for (n, &tool) in tools.iter().enumerate() {
            let directory = tempfile::tempdir().unwrap();
            runs[n].push(measure::run(
                tool,
                directory.path(),
                timer,
                &workload.argv,
                false,
            ));
        }
    }
    let bare = median(&runs[0], |run| run.target);
    println!("| {} | none | | {bare:.2} s | | | |", workload.name);
    for (&tool, runs) in tools.iter().zip(&runs).skip(1) {
        let stacks = Stacks::of(tool, workload, images);
        let all = median(runs, |run| run.profiler);
        let mut after = median(runs, |run| run.after);
        let mut resident = median(runs, |run| run.resident as f64);
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let named = measure::run(tool, directory, timer, &workload.argv, true);
        if tool == Tool::Samply {
            after = (named.profiler - all).max(0.0);
            resident = named.resident as f64;
        } else if let Some(command) = tool.afterwards(directory) {
            let unwound = measure::follow(tool, directory, command);
            after = unwound.profiler;
            resident = resident.max(unwound.resident as f64);
        }
        let recording = all - median(runs, |run| run.after);
        let programs = match median(runs, |run| run.programs) {
            0.0 => String::new(),
            seconds => format!(" + {seconds:.2} in the kernel"),
        };
        let megabytes = |bytes: f64| bytes / f64::from(1 << 20);
        println!(
            "| | {} | {:.1} % of {} | × {:.3} | {recording:.2}{programs}, {after:.2} s | {:.0}, {:.0} MiB | {:.2} MiB |",
            tool.name(),
            100.0 * stacks.whole as f64 / stacks.samples.max(1) as f64,
            stacks.samples,
            median(runs, |run| run.target) / bare,
            megabytes(median(runs, |run| run.recording as f64)),
            megabytes(resident),
            megabytes(median(runs, |run| run.disk as f64)),
        );
        for (flaw, count) in stacks.worst() {
            eprintln!("  {} {}: {count} × {flaw}", workload.name, tool.name());
        }
    }
}
/// The stacks that a profiler recorded.
#[derive(Default)]
struct Stacks {
    samples: u64,
    whole: u64,
    flaws: BTreeMap<String, u64>,
}

impl Stacks {
    /// Those of one run, without anything between the profiler and the target:
    /// perf loses outermost frames where two programs follow each other in
    /// one process.
    fn of(tool: Tool, workload: &Workload, images: &mut Images) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        measure::follow(
            tool,
            directory,
            tool.command(directory, &workload.argv, false),
        );
        let stacks = tool.stacks(directory);
        let mut found = Self::default();
        let demand = Demand {
            jit: false,
            roots: ROOTS,
        };
        for (walk, count) in &stacks {
            found.samples += count;
            match images.flaw(walk, demand) {
                None => found.whole += count,
                Some(flaw) => *found.flaws.entry(flaw).or_default() += count,
            }
        }
        found
    }

    /// The most frequent flaws.
    fn worst(&self) -> Vec<(&str, u64)> {
        let flaws = self.flaws.iter();
        let mut flaws: Vec<_> = flaws.map(|(flaw, count)| (flaw.as_str(), *count)).collect();
        flaws.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        flaws.truncate(3);
        flaws
    }
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A kernel setting that is put back when this is dropped.
struct Setting {
    path: &'static str,
    before: String,
}

impl Setting {
    fn lower(path: &'static str, value: &str) -> Self {
        let before = fs::read_to_string(path).unwrap();
        fs::write(path, value).unwrap();
        Self { path, before }
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let _ = fs::write(self.path, &self.before);
    }
}
