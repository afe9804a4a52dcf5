//! What the kernel programs cost: `cargo bench --bench kernel_cost`, as root.
//!
//! 1. Mean time of one run of the programs, by the kernel's own measuring
//!    (`BPF_ENABLE_STATS`), of `perf bench sched pipe` pinned to one CPU: an
//!    empty program and the switch program on the same hook in the same run,
//!    with the workload inside the target and outside.
//! 2. How much longer a command takes, start-up, names and flamegraph
//!    included: under `eprof run`, and under `perf record -g` at the same
//!    frequency, which still has to be followed by `perf report`. Interleaved;
//!    medians of the paired ratios of wall-clock time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark"
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aya::programs::BtfTracePoint;
use aya::sys::Stats;
use aya::{Btf, Ebpf};
use eprof::kernel::{Probe, Settings};

/// Samples per second.
const FREQUENCY: u32 = 997;
/// Round trips of `perf bench sched pipe`.
const LOOPS: &str = "500000";
/// Pairs of runs of each command.
const PAIRS: usize = 5;

fn main() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("SKIPPED: needs root");
        return;
    }
    let statistics = aya::sys::enable_stats(Stats::RunTime).unwrap();
    println!("mean of one run [ns], perf bench sched pipe on one CPU");
    for (place, inside) in [("inside the target", true), ("outside the target", false)] {
        let empty = Empty::attach();
        let mut probe = probe();
        let adopted = run(&mut probe, &pipe(), inside);
        let empty = empty.mean();
        println!("  {place}: {:.2} s", adopted.as_secs_f64());
        println!("    {:<8} {:>9} {empty:>7.0}", "empty", "");
        for (name, runs, mean) in probe.footprint() {
            if let Some(mean) = mean.filter(|_| runs > 0) {
                println!(
                    "    {name:<8} {runs:>9} {mean:>7.0}   {:.2} × empty",
                    mean / empty
                );
            }
        }
    }
    drop(statistics);

    println!("slowdown, medians of {PAIRS} pairs at {FREQUENCY} Hz");
    let shell = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
    for (name, command) in [
        (
            "CPU-bound",
            shell("i=0; while [ $i -lt 3000000 ]; do i=$((i+1)); done"),
        ),
        ("switch-heavy", pipe()),
        (
            "fork-heavy",
            shell("i=0; while [ $i -lt 2000 ]; do /bin/true; i=$((i+1)); done"),
        ),
    ] {
        slowdown(name, &command);
    }
}

fn pipe() -> Vec<String> {
    [
        "taskset", "-c", "1", "perf", "bench", "sched", "pipe", "-l", LOOPS,
    ]
    .map(str::to_owned)
    .to_vec()
}

fn command(argv: &[String]) -> Command {
    let mut command = Command::new(&argv[0]);
    command
        .args(&argv[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn probe() -> Probe {
    Probe::load(&Settings {
        frequency_hz: FREQUENCY,
        ..Settings::default()
    })
    .unwrap()
}

/// Runs a command with the kernel side attached; gives its wall time.
fn run(probe: &mut Probe, argv: &[String], inside: bool) -> Duration {
    let begin = Instant::now();
    let mut child = if inside {
        let child = probe.adopting(|| command(argv).spawn().unwrap()).unwrap();
        probe.sample_process(child.id()).unwrap();
        child
    } else {
        command(argv).spawn().unwrap()
    };
    probe.start().unwrap();
    let mut next = Instant::now();
    loop {
        // Every 100 ms a border, and in between a look whether it has ended.
        let ended = child.try_wait().unwrap().is_some();
        if ended || Instant::now() >= next {
            next += Duration::from_millis(100);
            probe.close_interval().unwrap();
            probe.drain(&mut |event| drop(std::hint::black_box(event)));
        }
        if ended {
            return begin.elapsed();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn slowdown(name: &str, argv: &[String]) {
    let directory = tempfile::tempdir().unwrap();
    let frequency = FREQUENCY.to_string();
    let under = |prefix: &[&str]| {
        let words = prefix.iter().map(|word| (*word).to_owned());
        let argv: Vec<_> = words.chain(argv.iter().cloned()).collect();
        let begin = Instant::now();
        let status = command(&argv).current_dir(&directory).status();
        assert!(status.unwrap().success(), "{argv:?}");
        begin.elapsed().as_secs_f64()
    };
    let eprof = env!("CARGO_BIN_EXE_eprof");
    let mut ratios = [Vec::new(), Vec::new()];
    let mut bare = Vec::new();
    for _ in 0..PAIRS {
        let base = under(&[]);
        bare.push(base);
        let ours = under(&[eprof, "run", "--quiet", "-F", &frequency, "--"]);
        let perf = under(&["perf", "record", "-q", "-g", "-F", &frequency, "--"]);
        ratios[0].push(ours / base);
        ratios[1].push(perf / base);
    }
    println!("  {name:<13} bare            {:.2} s", median(&mut bare));
    for (what, ratios) in ["eprof run", "perf record -g"].iter().zip(&mut ratios) {
        println!("  {name:<13} {what:<15} {:.3}", median(ratios));
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A program that does nothing, on `sched_switch`.
struct Empty(Ebpf);

impl Empty {
    fn attach() -> Self {
        let btf = Btf::from_sys_fs().unwrap();
        let mut ebpf = Ebpf::load(EMPTY).unwrap();
        let program: &mut BtfTracePoint = ebpf.program_mut("empty").unwrap().try_into().unwrap();
        program.load("sched_switch", &btf).unwrap();
        program.attach().unwrap();
        Self(ebpf)
    }

    fn mean(&self) -> f64 {
        let info = self.0.program("empty").unwrap().info().unwrap();
        info.run_time().as_nanos() as f64 / info.run_count() as f64
    }
}

/// `SEC("tp_btf/sched_switch") int empty(void *ctx) { return 0; }`
static EMPTY: &[u8] = aya::include_bytes_aligned!("empty.bpf.o");
