//! What the hardware did while a command ran: clock and temperature.
//!
//! Read a few times a second by a thread of eprof's own, and only where the
//! kernel shows any: `/sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq`
//! (kHz; Documentation/admin-guide/pm/cpufreq.rst), `/sys/class/thermal/
//! thermal_zone*/temp` (m°C; Documentation/driver-api/thermal/sysfs-api.rst)
//! and `thermal_throttle/*_throttle_count` of each CPU
//! (arch/x86/kernel/cpu/mce/therm_throt.c).

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow};
use serde::Serialize;

use crate::host::SysRoot;

/// When a run is first observed, and how often after that. Reading a clock may
/// wake a CPU.
const FIRST: Duration = Duration::from_millis(50);
const EVERY: Duration = Duration::from_millis(250);

/// More CPUs and thermal zones are not read: reading must stay cheap.
const MOST: usize = 256;

/// Clock and temperature during a run; what the kernel does not show is
/// `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Conditions {
    /// Clock of the fastest CPU, in MHz; the mean over the run.
    pub clock_mhz: Option<f64>,
    /// The hottest sensor's highest temperature, in °C.
    pub celsius: Option<f64>,
    /// How often the hardware slowed itself down for heat or current.
    pub throttled: Option<u64>,
}

/// The files of a machine.
#[derive(Clone, Debug, Default)]
pub struct Files {
    clocks: Vec<PathBuf>,
    sensors: Vec<PathBuf>,
    throttles: Vec<PathBuf>,
}

impl Files {
    /// Those of the machine below `root`.
    pub fn find(root: &SysRoot) -> Self {
        let cpus = below(&root.path("/sys/devices/system/cpu"), "cpu");
        let zones = below(&root.path("/sys/class/thermal"), "thermal_zone");
        let has = |directories: &[PathBuf], file: &str| -> Vec<PathBuf> {
            let files = directories.iter().map(|directory| directory.join(file));
            files.filter(|file| number(file).is_some()).collect()
        };
        let mut throttles = has(&cpus, "thermal_throttle/core_throttle_count");
        throttles.extend(has(&cpus, "thermal_throttle/package_throttle_count"));
        Self {
            clocks: has(&cpus, "cpufreq/scaling_cur_freq"),
            sensors: has(&zones, "temp"),
            throttles,
        }
    }

    fn is_empty(&self) -> bool {
        self.clocks.is_empty() && self.sensors.is_empty() && self.throttles.is_empty()
    }

    fn clock_mhz(&self) -> Option<f64> {
        let highest = self.clocks.iter().filter_map(|file| number(file)).max()?;
        Some(highest as f64 / 1e3)
    }

    fn celsius(&self) -> Option<f64> {
        let hottest = self.sensors.iter().filter_map(|file| number(file)).max()?;
        Some(hottest as f64 / 1e3)
    }

    fn throttled(&self) -> Option<u64> {
        let counts = self.throttles.iter().filter_map(|file| number(file));
        let counts = counts.filter_map(|count| u64::try_from(count).ok());
        counts.reduce(u64::saturating_add)
    }
}

/// The subdirectories `NAMEn` of `directory`, at most [`MOST`].
fn below(directory: &Path, name: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let numbered = |path: &PathBuf| {
        let file = path.file_name().and_then(|file| file.to_str());
        let rest = file.and_then(|file| file.strip_prefix(name));
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.filter(numbered).collect();
    paths.sort();
    paths.truncate(MOST);
    paths
}

fn number(file: &Path) -> Option<i64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// What has been seen so far.
#[derive(Debug, Default)]
struct Seen {
    clocks: Vec<f64>,
    celsius: Option<f64>,
}

impl Seen {
    fn observe(&mut self, files: &Files) {
        self.clocks.extend(files.clock_mhz());
        self.observe_temperature(files);
    }

    fn observe_temperature(&mut self, files: &Files) {
        let now = files.celsius();
        self.celsius = now.into_iter().chain(self.celsius).reduce(f64::max);
    }
}

/// Watches the hardware until it is stopped.
#[derive(Debug)]
pub struct Watcher {
    files: Files,
    before: Option<u64>,
    stop: Sender<()>,
    thread: Option<JoinHandle<Seen>>,
}

impl Watcher {
    /// Begins; `None` where there is nothing to be seen.
    pub fn start(files: &Files) -> Option<Self> {
        if files.is_empty() {
            return None;
        }
        let (stop, stopped) = channel::<()>();
        let watched = files.clone();
        let watch = move || {
            let mut seen = Seen::default();
            let mut pause = FIRST;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                seen.observe(&watched);
                pause = EVERY;
            }
            seen
        };
        // Signals are for the thread that follows the target.
        let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
        let thread = std::thread::Builder::new().spawn(watch).ok();
        if let Ok(mask) = mask {
            // Putting back a mask that was in force cannot fail.
            let _ = mask.thread_set_mask();
        }
        Some(Self {
            before: files.throttled(),
            files: files.clone(),
            stop,
            thread,
        })
    }

    /// Ends, with what was seen. The clock is only known of runs that took
    /// some time: afterwards, it is that of an idle machine.
    pub fn stop(mut self) -> Conditions {
        // It has ended where nobody listens.
        let _ = self.stop.send(());
        let seen = self.thread.take().and_then(|thread| thread.join().ok());
        let mut seen = seen.unwrap_or_default();
        seen.observe_temperature(&self.files);
        let after = self.files.throttled();
        let clocks = &seen.clocks;
        Conditions {
            clock_mhz: (!clocks.is_empty())
                .then(|| clocks.iter().sum::<f64>() / clocks.len() as f64),
            celsius: seen.celsius,
            throttled: after.zip(self.before).map(|(a, b)| a.saturating_sub(b)),
        }
    }
}
