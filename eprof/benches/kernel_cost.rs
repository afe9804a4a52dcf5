//! What the kernel programs cost: `cargo bench --bench kernel_cost`, as root.
//!
//! 1. `signals`: mean time of one run of the programs, by the kernel's own
//!    measuring (`BPF_ENABLE_STATS`), of `perf bench sched pipe` pinned to one
//!    CPU: an empty program and the switch program on the same hook in the same
//!    run, with the workload inside the target and outside, and with more and
//!    more signals. The time-stamp counter stands in for the processor's
//!    counters, which a virtual machine need not have.
//! 2. `slowdown`: how much longer a command takes, start-up, names and flamegraph
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
use eprof::kernel::{Counting, Probe, Settings};
use eprof::measurement::Counter;

/// Samples per second.
const FREQUENCY: u32 = 997;
/// Round trips of `perf bench sched pipe`.
const LOOPS: &str = "100000";
/// Runs of each kind.
const ROUNDS: usize = 5;
/// A counter that virtual machines have too. Reading it takes one RDTSC, where
/// a counter of the processor takes one RDPMC: about as long (tables of
/// instruction latencies, A. Fog: 25 to 40 cycles either).
const TSC: &str = "/sys/bus/event_source/devices/msr/events/tsc";
/// Pairs of runs of each command.
const PAIRS: usize = 5;

fn main() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("SKIPPED: needs root");
        return;
    }
    let only: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |part: &str| !only.iter().any(|arg| !arg.starts_with('-') && arg != part);
    if wanted("signals") {
        signals();
    }
    if !wanted("slowdown") {
        return;
    }
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

/// What is measured besides time.
const SIGNALS: [(&str, usize, bool); 6] = [
    ("time, wakeups, migrations", 0, false),
    ("+ SMT-shared", 0, true),
    ("+ 1 counter", 1, false),
    ("+ 2 counters", 2, false),
    ("+ 4 counters", 4, false),
    ("+ 4 counters, SMT-shared", 4, true),
];

fn signals() {
    let statistics = aya::sys::enable_stats(Stats::RunTime).unwrap();
    println!("median of {ROUNDS} means of one run [ns], perf bench sched pipe on one CPU");
    if !std::path::Path::new(TSC).exists() {
        println!("  no counter that can be read here ({TSC})");
    }
    for (place, inside) in [("inside the target", true), ("outside the target", false)] {
        println!(
            "  {place:<27} {:>6} {:>6} {:>8} {:>6}",
            "empty", "switch", "× empty", "sample"
        );
        let mut means: Vec<[Vec<f64>; 3]> = vec![Default::default(); SIGNALS.len()];
        // Interleaved: what else the machine does is the same for all.
        for _ in 0..ROUNDS {
            for ((_, counters, siblings), means) in SIGNALS.iter().zip(&mut means) {
                let empty = Empty::attach();
                let mut probe = probe(*counters, *siblings);
                run(&mut probe, &pipe(), inside);
                means[0].push(empty.mean());
                for (name, runs, mean) in probe.footprint() {
                    match (name.as_str(), mean.filter(|_| runs > 0)) {
                        ("switch", Some(mean)) => means[1].push(mean),
                        ("sample", Some(mean)) => means[2].push(mean),
                        _ => {}
                    }
                }
            }
        }
        for ((name, ..), [empties, switches, samples]) in SIGNALS.iter().zip(&mut means) {
            let mut ratios: Vec<f64> = switches.iter().zip(&*empties).map(|(s, e)| s / e).collect();
            let sample = if samples.is_empty() {
                String::from("-")
            } else {
                format!("{:.0}", median(samples))
            };
            println!(
                "    {name:<25} {:>6.0} {:>6.0} {:>8.2} {sample:>6}",
                median(empties),
                median(switches),
                median(&mut ratios)
            );
        }
    }
    drop(statistics);
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

/// With so many counters, each of the time-stamp counter, and with CPUs that
/// are told to be siblings of each other, where asked for.
fn probe(counters: usize, siblings: bool) -> Probe {
    let counters = Counter::ALL.into_iter().take(counters);
    Probe::load(&Settings {
        frequency_hz: FREQUENCY,
        counters: counters
            .map(|counter| Counting::pmu(counter, "msr", "tsc"))
            .collect(),
        siblings: if siblings {
            vec![(0, 1), (1, 0)]
        } else {
            Vec::new()
        },
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
