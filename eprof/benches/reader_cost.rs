//! What it costs to know when energy was used: `cargo bench --bench
//! reader_cost`, as root.
//!
//! 1. CPU time of a thread that reads meters at 10 ms intervals, in three
//!    ways: at regular times; at the updates of the registers, with the looks
//!    that keep their clock; and without sleeping, as tools do that wait for
//!    an update. Registers are simulated, but each read is a system call that
//!    interrupts another CPU, as reading a package's meter is.
//! 2. CPU time of eprof, and size of the recording, by length of interval.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark"
)]

use std::process::{Command, Stdio};

use eprof::clock;
use eprof::error::Result;
use eprof::measurement::{
    Domain, Meter, MeterId, Provenance, Quantity, Reading, Scope, SourceKind,
};
use eprof::session::Reader;
use eprof::session::schedule::{Due, Schedule};
use eprof::source::{EnergySource, UpdateClocks};
use eprof::unit::{Nanos, Timestamp, Watts};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use perf_event::events::Software;
use perf_event::{Builder, Counter};

const INTERVAL: Nanos = Nanos(10_000_000);
const SECONDS: u64 = 10;
const PERIOD_NS: u64 = 1_003_100;

fn main() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("SKIPPED: needs root");
        return;
    }
    println!("CPU time of a reader of one package, intervals of 10 ms");
    let mut without = 0.0;
    for (name, way) in [
        ("at regular times", Way::Regular),
        ("at updates", Way::Updates),
        ("waiting for updates", Way::Spinning),
    ] {
        let (share, reads) = read(way);
        if without == 0.0 {
            without = share;
        }
        println!(
            "  {name:<20} {:6.3} % of a CPU   {:6.2} ×   {reads:8.0} reads/s",
            share * 100.0,
            share / without
        );
    }
    println!("CPU time of eprof run beside two busy threads, {SECONDS} s");
    for frequency in ["0", "997"] {
        for interval in ["100ms", "50ms", "20ms", "10ms", "5ms"] {
            run(frequency, interval);
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Regular,
    Updates,
    Spinning,
}

/// A register that is updated every [`PERIOD_NS`], with jitter.
struct Simulated {
    meters: Vec<Meter>,
    /// Counts the time of another CPU.
    counter: Counter,
}

impl Simulated {
    fn new() -> Self {
        let meter = Meter {
            id: MeterId(0),
            kind: SourceKind::Perf,
            name: "simulated".to_owned(),
            domain: Domain::Package,
            scope: Scope::Machine,
            cpus: vec![0],
            quantity: Quantity::Counter {
                unit_uj: 1.0,
                modulus: None,
            },
            provenance: Provenance::Measured,
            nested: false,
            update_period: Nanos(1_000_000),
            plausible: Watts(1000.0),
        };
        let mut builder = Builder::new(Software::CPU_CLOCK);
        builder.any_pid().one_cpu(0).include_kernel().enabled(true);
        Self {
            meters: vec![meter],
            counter: builder.build().unwrap(),
        }
    }
}

impl EnergySource for Simulated {
    fn meters(&self) -> &[Meter] {
        &self.meters
    }

    fn read(&mut self) -> Result<Vec<Reading>> {
        let begin = clock::now();
        std::hint::black_box(self.counter.read().unwrap());
        let end = clock::now();
        // A multiplicative hash (Knuth), spread over ±60 µs: 34 µs of deviation.
        let jitter = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 120_000;
        let mut update = begin.0 / PERIOD_NS;
        if begin.0 < update * PERIOD_NS + jitter(update) {
            update -= 1;
        }
        Ok(vec![Reading {
            meter: MeterId(0),
            raw: update * 40_000,
            begin,
            end,
            updated: None,
        }])
    }
}

/// CPU time as a part of one CPU, and readings per second.
fn read(way: Way) -> (f64, f64) {
    let mut reader = Reader::new(Box::new(Simulated::new()));
    if way == Way::Updates {
        reader.acquire().unwrap();
        assert!(reader.clocks().main().is_some(), "no clock was found");
    }
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::empty()).unwrap();
    let (before, reads) = (cpu_time(), reader.reads());
    let begin = clock::now();
    let end = begin + Nanos(SECONDS * 1_000_000_000);
    let mut schedule = Schedule::new(INTERVAL, begin);
    schedule.plan(reader.clocks(), begin);
    while clock::now() < end {
        let alarm = schedule.next();
        wait(&timer, alarm);
        match schedule.due(clock::now()) {
            Some(Due::Boundary) => {
                if way == Way::Spinning {
                    let raw = reader.read().unwrap()[0].raw;
                    while reader.read().unwrap()[0].raw == raw {}
                }
                std::hint::black_box(reader.read().unwrap());
                let edges = match way {
                    Way::Updates => reader.clocks(),
                    _ => &UpdateClocks::default(),
                };
                schedule.plan(edges, clock::now());
            }
            Some(Due::Check) => {
                let read = reader.check().unwrap();
                schedule.checked(alarm, read, reader.clocks());
            }
            Some(Due::Drain) | None => {}
        }
    }
    let seconds = clock::now().since(begin).seconds();
    let reads = (reader.reads() - reads) as f64;
    ((cpu_time() - before) / seconds, reads / seconds)
}

fn wait(timer: &TimerFd, at: Timestamp) {
    let at = TimeSpec::from_duration(std::time::Duration::from_nanos(at.0));
    timer
        .set(
            Expiration::OneShot(at),
            TimerSetTimeFlags::TFD_TIMER_ABSTIME,
        )
        .unwrap();
    timer.wait().unwrap();
}

/// CPU time of this thread so far, in seconds.
fn cpu_time() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn run(frequency: &str, interval: &str) {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "timeout {SECONDS} sh -c 'while :; do :; done' & \
                          timeout {SECONDS} sh -c 'while :; do :; done'; wait; true"
    );
    let status = Command::new(env!("CARGO_BIN_EXE_eprof"))
        .current_dir(&directory)
        .args([
            "run",
            "--source",
            "model",
            "-F",
            frequency,
            "--interval",
            interval,
        ])
        .args([
            "--format",
            "json",
            "--report",
            "report.json",
            "--no-flamegraph",
        ])
        .args(["--", "sh", "-c", &script])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let text = std::fs::read(directory.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let size = std::fs::metadata(directory.path().join("eprof.data"))
        .unwrap()
        .len();
    let seconds = report["duration_s"].as_f64().unwrap();
    let cpu = report["footprint"]["cpu_ns"].as_f64().unwrap() / 1e9;
    println!(
        "  {frequency:>4} Hz, {interval:>5}: {:6.3} % of a CPU, {:7.1} KiB/s",
        cpu / seconds * 100.0,
        size as f64 / 1024.0 / seconds
    );
}
