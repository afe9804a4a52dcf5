//! The workloads of the lab. Threads bear the names that give them their
//! character on the synthetic hardware (`hot…`, `mid…`, `low…`, `mem…`, `vec…`,
//! `sca…`); what they compute does not matter. All times are of the clock,
//! because the emulator is slow and not steady.
//!
//! - `threads SECONDS NAME[@CPU][/ON/OFF]…`: a thread each; it works ON ms and
//!   sleeps OFF ms in turn, or always works
//! - `phases SECONDS MS NAME,NAME…[@CPU]…`: a thread per list; it works MS ms in
//!   the function `phase_NAME`, under that name, then in the next
//! - `hop SECONDS MS NAME…`: threads that go to the next CPU every MS ms
//! - `short COUNT LEAST MOST ABREAST`: processes that live LEAST to MOST
//!   hundredths of a millisecond, ABREAST at a time; each has its own name
//! - `storm DEPTH WIDTH MS`: processes that fork processes
//! - `idle SECONDS`: 3 ms of work now and then

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

use std::hint::black_box;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::wait::wait;
use nix::unistd::{ForkResult, Pid, fork};

/// A character, and its function.
type Kind = (&'static str, fn(Instant));

/// All characters that have a function of their own.
const KINDS: [Kind; 6] = [
    ("hot", phase_hot),
    ("mid", phase_mid),
    ("low", phase_low),
    ("mem", phase_mem),
    ("vec", phase_vec),
    ("sca", phase_sca),
];

/// Computes until `end`, some 200 µs at a time: the C library's clock has no
/// frame pointers, so that samples in it lack their callers.
#[inline(always)]
fn compute(until: Instant, seed: u64) {
    let mut x = black_box(seed);
    while Instant::now() < until {
        let mut n = 0_u64;
        while n < 40_000 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n);
            n += 1;
        }
        black_box(x);
    }
}

macro_rules! phases {
    ($($function:ident $name:literal $seed:literal;)*) => {$(
        /// Takes its name and computes.
        #[inline(never)]
        fn $function(until: Instant) {
            rename($name);
            compute(until, $seed);
        }
    )*};
}

phases! {
    phase_hot "hot" 1;
    phase_mid "mid" 2;
    phase_low "low" 3;
    phase_mem "mem" 4;
    phase_vec "vec" 5;
    phase_sca "sca" 6;
}

fn rename(name: &str) {
    let name = std::ffi::CString::new(name).unwrap();
    nix::sys::prctl::set_name(&name).unwrap();
}

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &set).unwrap();
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// `REST[@CPU]`: takes the CPU.
fn place(text: &str) -> &str {
    let (rest, cpu) = text.split_once('@').unwrap_or((text, ""));
    if let Ok(cpu) = cpu.parse() {
        pin(cpu);
    }
    rest
}

/// Steady or in bursts: `NAME[@CPU][/ON/OFF]`.
fn thread(text: &str, end: Instant) {
    let mut parts = text.split('/');
    let name = place(parts.next().unwrap());
    let mut duration = || parts.next().map(|part| ms(part.parse().unwrap()));
    let (on, off) = (duration(), duration());
    rename(name);
    let Some((on, off)) = on.zip(off) else {
        return compute(end, 7);
    };
    while Instant::now() < end {
        compute(end.min(Instant::now() + on), 7);
        thread::sleep(off);
    }
}

/// One function after the other: `NAME,NAME…[@CPU]`.
fn phases(text: &str, length: Duration, end: Instant) {
    let names = place(text).split(',');
    let of = |name: &str| KINDS.iter().find(|kind| kind.0 == name).expect("a kind").1;
    let functions: Vec<_> = names.map(of).collect();
    let mut next = Instant::now();
    for function in functions.iter().cycle() {
        next += length;
        if next > end {
            return;
        }
        function(next);
    }
}

/// From CPU to CPU.
fn hop(name: &str, at: usize, length: Duration, end: Instant) {
    let cpus = thread::available_parallelism().unwrap().get();
    rename(name);
    for cpu in (at..).map(|turn| turn % cpus) {
        if Instant::now() >= end {
            return;
        }
        pin(cpu);
        compute(Instant::now() + length, 8);
    }
}

/// A child that does `work` and ends.
fn child(work: impl FnOnce()) {
    // SAFETY: the callers have one thread, so the child may do anything.
    match unsafe { fork().unwrap() } {
        ForkResult::Child => {
            work();
            // SAFETY: ends the process; nothing is left to clean up.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { .. } => {}
    }
}

fn short(count: u64, least: u64, most: u64, abreast: u64) {
    for number in 0..count {
        if number >= abreast {
            wait().unwrap();
        }
        child(|| {
            let begin = Instant::now();
            let kind = KINDS[(number % 4) as usize].0;
            rename(&format!("{kind}{number}"));
            // The golden ratio spreads the lengths evenly.
            let part = (number as f64 * 0.618_034).fract();
            let length = least as f64 + part * (most - least) as f64;
            compute(begin + Duration::from_secs_f64(length / 1e5), 9);
        });
    }
    while wait().is_ok() {}
}

fn storm(depth: u64, width: u64, length: Duration) {
    rename(KINDS[(depth % 4) as usize].0);
    for _ in 0..if depth == 0 { 0 } else { width } {
        child(|| storm(depth - 1, width, length));
    }
    compute(Instant::now() + length, 10);
    while wait().is_ok() {}
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| u64::from_str(&arguments[at]).expect("a number");
    let seconds = |at: usize| {
        let length = f64::from_str(&arguments[at]).expect("seconds");
        Instant::now() + Duration::from_secs_f64(length)
    };
    match arguments[0].as_str() {
        "threads" => {
            let end = seconds(1);
            thread::scope(|scope| {
                for text in &arguments[2..] {
                    scope.spawn(move || thread(text, end));
                }
            });
        }
        "phases" => {
            let (end, length) = (seconds(1), ms(number(2)));
            thread::scope(|scope| {
                for text in &arguments[3..] {
                    scope.spawn(move || phases(text, length, end));
                }
            });
        }
        "hop" => {
            let (end, length) = (seconds(1), ms(number(2)));
            thread::scope(|scope| {
                for (at, name) in arguments[3..].iter().enumerate() {
                    scope.spawn(move || hop(name, at, length, end));
                }
            });
        }
        "short" => short(number(1), number(2), number(3), number(4)),
        "storm" => storm(number(1), number(2), ms(number(3))),
        "idle" => {
            let end = seconds(1);
            thread("mid-rare/3/60", end);
        }
        other => panic!("no such work: {other}"),
    }
}
