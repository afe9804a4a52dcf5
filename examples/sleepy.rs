//! A program that does next to nothing.
//!
//! ```text
//! eprof run -- target/debug/examples/sleepy
//! ```
//!
//! The machine's idle power goes on while this program sleeps. Look at the
//! ledger: nearly all of the energy must be in `idle`, and only a few percent
//! in `target`; a tool that divides the meter's reading among those who ran
//! would charge it with everything. Then look at the two prices: the marginal
//! price is what the program added, the full price has its share of the idle
//! power too, for the time that it ran. Without an idle baseline eprof says
//! that it cannot tell them apart.
//!
//! Arguments: seconds (default 2), CPU milliseconds at each of ten wake-ups a
//! second (default 2).

use std::error::Error;
use std::hint::black_box;
use std::thread::sleep;
use std::time::{Duration, Instant};

use eprof_examples::cpu_time;

#[inline(never)]
fn work(end: Duration) -> nix::Result<()> {
    while cpu_time()? < end {
        let (mut n, mut x) = (0_u64, 1_u64);
        while n < 10_000 {
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
    let seconds: f64 = args.next().map_or(Ok(2.0), |arg| arg.parse())?;
    let millis: f64 = args.next().map_or(Ok(2.0), |arg| arg.parse())?;
    let (whole, busy) = (
        Duration::try_from_secs_f64(seconds)?,
        Duration::try_from_secs_f64(millis / 1e3)?,
    );
    let begin = Instant::now();
    while begin.elapsed() < whole {
        work(cpu_time()? + busy)?;
        sleep(Duration::from_millis(100).saturating_sub(busy));
    }
    let (cpu, wall) = (cpu_time()?.as_nanos(), begin.elapsed().as_nanos());
    println!(r#"{{"cpu_ns":{cpu},"wall_ns":{wall}}}"#);
    Ok(())
}
