//! One process that becomes another program again and again.
//!
//! ```text
//! eprof run -- target/debug/examples/exec_chain
//! ```
//!
//! `exec` replaces the program and keeps the process: the PID stays, and so
//! would a tool's row that knows processes by PID. Look at the processes in
//! the report: each step is a row of its own, with the same PID and its own
//! name; step 2 costs twice as much as step 1, step 3 three times, and so on.
//! Shell scripts that end in `exec`, `env`, `nice`, `sudo` and container
//! entry points all do this.
//!
//! Arguments: number of steps (default 4), CPU milliseconds of the first step
//! (default 100).

use std::error::Error;
use std::hint::black_box;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// CPU time of this process so far, all programs together.
fn cpu_time() -> nix::Result<Duration> {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from)
}

#[inline(never)]
fn work(end: Duration) -> nix::Result<()> {
    while cpu_time()? < end {
        let (mut n, mut x) = (0_u64, 1_u64);
        while n < 100_000 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            n += 1;
        }
        black_box(x);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let steps: u32 = args.next().map_or(Ok(4), |arg| arg.parse())?;
    let millis: u64 = args.next().map_or(Ok(100), |arg| arg.parse())?;
    let step: u32 = args.next().map_or(Ok(1), |arg| arg.parse())?;

    std::fs::write("/proc/self/comm", format!("step-{step}"))?;
    let begin = cpu_time()?;
    work(begin + Duration::from_millis(millis) * step)?;
    let used = (cpu_time()? - begin).as_nanos();
    println!(
        r#"{{"step":{step},"pid":{},"cpu_ns":{used}}}"#,
        std::process::id()
    );
    if step >= steps {
        return Ok(());
    }
    let next = [
        steps.to_string(),
        millis.to_string(),
        (step + 1).to_string(),
    ];
    // Returns only if it fails.
    Err(Command::new(std::env::current_exe()?)
        .args(next)
        .exec()
        .into())
}
