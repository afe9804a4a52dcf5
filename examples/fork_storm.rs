//! Many processes that are gone before anyone could look at them.
//!
//! ```text
//! eprof run -- target/debug/examples/fork_storm 1000 1
//! ```
//!
//! A tool that finds processes by reading `/proc` now and then misses nearly
//! all of these. Look at the processes in the report: the parent and its
//! children are there, the children's CPU times add up to what this program
//! prints (from `getrusage`), and the losses say so if one was missed. Try
//! 20000 children.
//!
//! Arguments: number of children (default 500), CPU milliseconds that each of
//! them uses (default 1).

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::sys::wait::waitpid;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{ForkResult, fork};

/// Uses this much CPU time.
#[inline(never)]
fn live(lifetime: Duration) {
    let cpu_time = || clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from);
    while cpu_time().is_ok_and(|used| used < lifetime) {
        let (mut n, mut x) = (0_u64, 1_u64);
        while n < 10_000 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            n += 1;
        }
        black_box(x);
    }
}

fn cpu_ns(usage: Usage) -> i64 {
    1_000 * (usage.user_time().num_microseconds() + usage.system_time().num_microseconds())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let count: u32 = args.next().map_or(Ok(500), |arg| arg.parse())?;
    let millis: f64 = args.next().map_or(Ok(1.0), |arg| arg.parse())?;
    let lifetime = Duration::try_from_secs_f64(millis / 1e3)?;
    for _ in 0..count {
        // SAFETY: this process has one thread, so the child may do anything.
        match unsafe { fork()? } {
            ForkResult::Child => {
                live(lifetime);
                return Ok(());
            }
            ForkResult::Parent { child } => waitpid(child, None)?,
        };
    }
    let children = cpu_ns(getrusage(UsageWho::RUSAGE_CHILDREN)?);
    let parent = cpu_ns(getrusage(UsageWho::RUSAGE_SELF)?);
    println!(r#"{{"children":{count},"children_cpu_ns":{children},"parent_cpu_ns":{parent}}}"#);
    Ok(())
}
