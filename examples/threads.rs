//! Threads of different weight, each with a name.
//!
//! ```text
//! eprof run -- target/debug/examples/threads
//! ```
//!
//! Look at the threads in the report: `heavy`, `medium` and `light` use CPU
//! time as 4 : 2 : 1, and so must their energy be. They run at the same time
//! on however many CPUs there are, so none of this can be read off a meter:
//! the meter sees the sum only. Compare the mean watts: on a machine whose
//! CPUs are busy anyway, a thread draws about the same while it runs, whatever
//! its share. The main thread only waits; it costs nearly nothing and is
//! listed all the same.
//!
//! Argument: CPU seconds in all (default 2).

use std::error::Error;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

use eprof_examples::cpu_time;

/// Uses this much CPU time, and answers how much it really was.
#[inline(never)]
fn work(share: Duration) -> nix::Result<Duration> {
    while cpu_time()? < share {
        let (mut n, mut x) = (0_u64, 1_u64);
        while n < 100_000 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            n += 1;
        }
        black_box(x);
    }
    cpu_time()
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: f64 = std::env::args().nth(1).map_or(Ok(2.0), |arg| arg.parse())?;
    let part = Duration::try_from_secs_f64(seconds / 7.0)?;
    let mut threads = Vec::new();
    for (name, parts) in [("heavy", 4), ("medium", 2), ("light", 1)] {
        let builder = thread::Builder::new().name(name.to_owned());
        threads.push((name, builder.spawn(move || work(part * parts))?));
    }
    for (name, thread) in threads {
        let used = thread.join().map_err(|_| format!("{name} panicked"))??;
        println!(r#"{{"thread":"{name}","cpu_ns":{}}}"#, used.as_nanos());
    }
    Ok(())
}
