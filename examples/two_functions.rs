//! Two functions, one of which costs three times as much as the other.
//!
//! ```text
//! cargo build --example two_functions
//! eprof run -- target/debug/examples/two_functions
//! ```
//!
//! Look at the functions in the report: `heavy` must have 75 % of the target's
//! energy and `light` 25 %, within the ± beside them. The program measures its
//! own CPU time and prints the true split, so you can check eprof's answer:
//! energy is split by CPU time here, as nothing else tells the two apart. In
//! the flamegraph both stand on `main`, side by side.
//!
//! Argument: CPU seconds in all (default 1.5).

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use eprof_examples::cpu_time;

// The loops count by hand, and compute without functions of the library: where
// these are inlined, they are named as the leaf all the same. Each function starts from a
// number of its own, or the compiler would make one function of the two.
macro_rules! burn_until {
    ($end:expr, $start:expr) => {
        while cpu_time()? < $end {
            let (mut n, mut x) = (0_u64, $start);
            while n < 100_000 {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                n += 1;
            }
            black_box(x);
        }
    };
}

/// Three parts of four.
#[inline(never)]
fn heavy(end: Duration) -> nix::Result<()> {
    burn_until!(end, 3_u64);
    Ok(())
}

/// One part of four.
#[inline(never)]
fn light(end: Duration) -> nix::Result<()> {
    burn_until!(end, 1_u64);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: f64 = std::env::args().nth(1).map_or(Ok(1.5), |arg| arg.parse())?;
    let total = Duration::try_from_secs_f64(seconds)?;
    let (mut in_heavy, mut in_light) = (Duration::ZERO, Duration::ZERO);
    // By turns, so that both see the same machine. Each turn makes up for
    // what the last ones overshot.
    while in_heavy + in_light < total {
        let begin = cpu_time()?;
        let wanted = (in_light + Duration::from_millis(10)) * 3;
        heavy(begin + wanted.saturating_sub(in_heavy))?;
        let middle = cpu_time()?;
        in_heavy += middle - begin;
        light(middle + (in_heavy / 3).saturating_sub(in_light))?;
        in_light += cpu_time()? - middle;
    }
    let (heavy, light) = (in_heavy.as_nanos(), in_light.as_nanos());
    println!(r#"{{"heavy_ns":{heavy},"light_ns":{light}}}"#);
    Ok(())
}
