//! Three ways to use memory, the same CPU time each.
//!
//! ```text
//! eprof run -- target/debug/examples/memory
//! ```
//!
//! `cached` stays in the first-level cache, `streaming` reads through a large
//! buffer in order, `chasing` jumps about in it. Each gets a third of the CPU
//! time, so by time each gets a third of the energy: look at how close the
//! three are in the report. Then compare the watts of the package and of
//! `dram`, where the machine has that meter, with each function alone (third
//! argument): they differ. This is what a split by CPU time cannot see inside
//! one interval; where a cycle counter exists, eprof weighs by cycles, which
//! tells waiting at different clock rates apart but not this.
//!
//! Arguments: CPU seconds in all (default 1.5), size of the buffer in MiB
//! (default 64), and which functions to run (`cached`, `streaming`, `chasing`;
//! default all).

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use eprof_examples::cpu_time;

/// Sums 16 KiB again and again.
#[inline(never)]
fn cached(buffer: &[u32], end: Duration) -> nix::Result<()> {
    while cpu_time()? < end {
        let (mut n, mut sum) = (0, 0_u32);
        while n < 65_536 {
            sum = sum.wrapping_add(buffer[n % 4_096]);
            n += 1;
        }
        black_box(sum);
    }
    Ok(())
}

/// Sums the whole buffer, one number per cache line.
#[inline(never)]
fn streaming(buffer: &[u32], end: Duration) -> nix::Result<()> {
    let mut at = 0;
    while cpu_time()? < end {
        let (mut n, mut sum) = (0, 0_u32);
        while n < 65_536 {
            sum = sum.wrapping_add(buffer[at]);
            at = (at + 16) % buffer.len();
            n += 1;
        }
        black_box(sum);
    }
    Ok(())
}

/// Follows the numbers of the buffer from one to the next.
#[inline(never)]
fn chasing(buffer: &[u32], end: Duration) -> nix::Result<()> {
    let mut at = 0;
    while cpu_time()? < end {
        let mut n = 0;
        while n < 65_536 {
            at = buffer[at] as usize;
            n += 1;
        }
        black_box(at);
    }
    Ok(())
}

/// One of the functions above.
type Way = fn(&[u32], Duration) -> nix::Result<()>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let seconds: f64 = args.next().map_or(Ok(1.5), |arg| arg.parse())?;
    let mib: u32 = args.next().map_or(Ok(64), |arg| arg.parse())?;
    let wanted: Vec<String> = args.collect();
    if !(1..=4_096).contains(&mib) {
        return Err("the buffer has 1 to 4096 MiB".into());
    }

    // A jump from each number to the next: x → ax + 1 with a ≡ 1 (mod 4), modulo a power of two,
    // comes round to every place (Hull and Dobell 1962), in an order that no
    // prefetcher follows.
    let length = (mib << 18).next_power_of_two();
    let buffer: Vec<u32> = (0..length)
        .map(|x| x.wrapping_mul(0x9e37_79b5).wrapping_add(1) % length)
        .collect();

    let ways: [(&str, Way); 3] = [
        ("cached", cached),
        ("streaming", streaming),
        ("chasing", chasing),
    ];
    let ways: Vec<(&str, Way)> = ways
        .into_iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|one| one == name))
        .collect();
    let slice = Duration::from_millis(20);
    let mut used = vec![Duration::ZERO; ways.len()];
    let part = Duration::try_from_secs_f64(seconds / ways.len().max(1) as f64)?;
    while used.iter().any(|used| *used < part) {
        for ((_, way), used) in ways.iter().zip(&mut used) {
            let begin = cpu_time()?;
            way(&buffer, begin + slice.min(part.saturating_sub(*used)))?;
            *used += cpu_time()? - begin;
        }
    }
    for ((name, _), used) in ways.iter().zip(used) {
        println!(r#"{{"function":"{name}","cpu_ns":{}}}"#, used.as_nanos());
    }
    Ok(())
}
