//! Threads that work for a part of the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use super::ladder::Rung;
use super::load::Worker;
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};

/// Work and rest take turns this often: many times in a block of measurement.
const PERIOD: Duration = Duration::from_millis(10);

/// Threads at work, one on each CPU of a rung. Dropping it ends them.
#[derive(Debug)]
pub struct LoadThreads {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl LoadThreads {
    /// Sets threads to work.
    ///
    /// # Errors
    /// Where no thread can be made.
    pub fn start(rung: &Rung, store: &Arc<Store>) -> Result<Self> {
        let mut started = Self {
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for (number, &cpu) in rung.cpus.iter().enumerate() {
            let (stop, store) = (Arc::clone(&started.stop), Arc::clone(store));
            let (load, part) = (rung.load, f64::from(rung.percent) / 100.0);
            let thread = std::thread::Builder::new()
                .name(load.name().to_owned())
                .spawn(move || {
                    stay_on(cpu);
                    let mut worker = Worker::new(load, &store, number);
                    work_and_rest(&mut worker, part, &stop);
                })
                .map_err(|error| {
                    Error::new(
                        ErrorKind::Internal,
                        format!("cannot make a thread: {error}"),
                    )
                })?;
            started.threads.push(thread);
        }
        Ok(started)
    }
}

impl Drop for LoadThreads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that failed has ended, too.
            let _ = thread.join();
        }
    }
}

/// Binds the calling thread to `cpu`; where that is not allowed, the
/// scheduler places it, which is nearly as good.
fn stay_on(cpu: u32) {
    let mut set = CpuSet::new();
    if set.set(cpu as usize).is_ok() {
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
}

/// Works for `part` of each period and sleeps for the rest of it.
fn work_and_rest(worker: &mut Worker<'_>, part: f64, stop: &AtomicBool) {
    let mut begin = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        while begin.elapsed() < PERIOD.mul_f64(part) {
            worker.work();
        }
        begin += PERIOD;
        match begin.checked_duration_since(Instant::now()) {
            Some(rest) => std::thread::sleep(rest),
            // Late: what was missed is not made up for.
            None if part < 1.0 => begin = Instant::now(),
            None => {}
        }
    }
}
