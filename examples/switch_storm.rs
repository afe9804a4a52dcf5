//! Two threads that do nothing but wake each other.
//!
//! ```text
//! eprof run -- target/debug/examples/switch_storm
//! ```
//!
//! A byte goes to and fro through two pipes; both threads are on one CPU, so
//! each byte is a context switch. This is the hardest case for a profiler that
//! follows the scheduler: compare the time that the program prints with and
//! without eprof to see what it costs. In the report nearly all the energy is
//! in the kernel's functions, `ping` and `pong` have about the same, and what
//! eprof itself cost is in the ledger and in the footprint.
//!
//! Argument: number of round trips (default 50000).

use std::error::Error;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::thread;
use std::time::Instant;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::Pid;

/// Sends a byte and waits for the answer.
#[inline(never)]
fn ping(rounds: u32, mut out: PipeWriter, mut back: PipeReader) -> std::io::Result<()> {
    let mut byte = [0];
    for _ in 0..rounds {
        out.write_all(&byte)?;
        back.read_exact(&mut byte)?;
    }
    Ok(())
}

/// Waits for a byte and answers it.
#[inline(never)]
fn pong(rounds: u32, mut out: PipeWriter, mut back: PipeReader) -> std::io::Result<()> {
    let mut byte = [0];
    for _ in 0..rounds {
        back.read_exact(&mut byte)?;
        out.write_all(&byte)?;
    }
    Ok(())
}

/// Binds this thread, and those that it starts, to one CPU.
fn bind() -> nix::Result<()> {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this)?;
    let mut one = CpuSet::new();
    for cpu in 0..CpuSet::count() {
        if allowed.is_set(cpu)? {
            one.set(cpu)?;
            break;
        }
    }
    sched_setaffinity(this, &one)
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: u32 = std::env::args()
        .nth(1)
        .map_or(Ok(50_000), |arg| arg.parse())?;
    bind()?;
    let ((there, to), (back, from)) = (pipe()?, pipe()?);
    let begin = Instant::now();
    let pinging = thread::Builder::new().name("ping".into());
    let pinging = pinging.spawn(move || ping(rounds, to, back))?;
    let ponging = thread::Builder::new().name("pong".into());
    let ponging = ponging.spawn(move || pong(rounds, from, there))?;
    for thread in [pinging, ponging] {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    let wall = begin.elapsed().as_nanos();
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let switches = usage.voluntary_context_switches() + usage.involuntary_context_switches();
    println!(r#"{{"rounds":{rounds},"wall_ns":{wall},"switches":{switches}}}"#);
    Ok(())
}
