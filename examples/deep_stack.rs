//! Work at the bottom of a deep recursion.
//!
//! ```text
//! eprof run -- target/debug/examples/deep_stack
//! eprof run -- target/debug/examples/deep_stack 1 300
//! ```
//!
//! Look at the flamegraph: `even` and `odd` call each other a hundred times,
//! one tower, and `work` on top has all the energy. In the table, `even` and
//! `odd` have no energy of their own but all of it in total: a function that
//! is on the stack many times is counted once. The second command goes deeper
//! than the kernel walks (127 frames); the tower then stands on `[truncated]`
//! instead of `main`, since where it stood is not known.
//!
//! Arguments: CPU seconds (default 1), depth (default 100).

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use eprof_examples::cpu_time;

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

// What a call answers is looked at, so that it is a call and not a jump.

#[inline(never)]
fn even(depth: u32, end: Duration) -> nix::Result<()> {
    black_box(if depth == 0 {
        work(end)
    } else {
        odd(depth - 1, end)
    })
}

#[inline(never)]
fn odd(depth: u32, end: Duration) -> nix::Result<()> {
    black_box(if depth == 0 {
        work(end)
    } else {
        even(depth - 1, end)
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let seconds: f64 = args.next().map_or(Ok(1.0), |arg| arg.parse())?;
    let depth: u32 = args.next().map_or(Ok(100), |arg| arg.parse())?;
    if depth > 10_000 {
        return Err("the stack has room for a depth of 10000".into());
    }
    even(depth, Duration::try_from_secs_f64(seconds)?)?;
    println!(r#"{{"depth":{depth},"cpu_ns":{}}}"#, cpu_time()?.as_nanos());
    Ok(())
}
