//! A powercap tree whose counters another thread advances.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The range of a register of 2^-14 J, in microjoules.
pub(crate) const RANGE: u64 = 262_143_328_850;

/// One zone: its name, counter at the start, and range in microjoules.
pub(crate) struct Zone {
    pub(crate) directory: &'static str,
    pub(crate) name: &'static str,
    pub(crate) start: u64,
    pub(crate) range: u64,
}

/// A tree that counts for as long as it lives.
pub(crate) struct Powercap {
    root: TempDir,
    stop: Arc<AtomicBool>,
    counting: Option<JoinHandle<()>>,
}

impl Powercap {
    /// `used` tells the joules that each zone has used after so many seconds.
    pub(crate) fn new<U: AsRef<[f64]>>(
        zones: Vec<Zone>,
        mut used: impl FnMut(f64) -> U + Send + 'static,
    ) -> Self {
        let root = TempDir::new().unwrap();
        let files: Vec<(Zone, File)> = zones
            .into_iter()
            .map(|zone| {
                let directory = root.path().join("sys/class/powercap").join(zone.directory);
                std::fs::create_dir_all(&directory).unwrap();
                std::fs::write(directory.join("name"), format!("{}\n", zone.name)).unwrap();
                std::fs::write(
                    directory.join("max_energy_range_uj"),
                    format!("{}\n", zone.range),
                )
                .unwrap();
                let file = File::create(directory.join("energy_uj")).unwrap();
                write(&file, zone.start);
                (zone, file)
            })
            .collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let counting = std::thread::spawn(move || {
            ahead_of_all();
            let begin = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let used = used(begin.elapsed().as_secs_f64());
                for ((zone, file), joules) in files.iter().zip(used.as_ref()) {
                    let count = zone.start + (joules * 1e6) as u64;
                    write(file, count % (zone.range + 1));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self {
            root,
            stop,
            counting: Some(counting),
        }
    }

    /// To be given to eprof as the root of the system.
    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }
}

impl Drop for Powercap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(counting) = self.counting.take() {
            let _ = counting.join();
        }
    }
}

/// Puts this thread before all others, where that is allowed: a register does
/// not wait until a busy machine has time for it.
fn ahead_of_all() {
    let thread = nix::unistd::gettid().to_string();
    let _ = Command::new("chrt")
        .args(["--fifo", "--pid", "50", &thread])
        .stderr(Stdio::null())
        .status();
}

/// In place and in one write, so that a reader sees the old value or the new.
fn write(file: &File, value: u64) {
    file.write_all_at(format!("{value:020}\n").as_bytes(), 0)
        .unwrap();
}
