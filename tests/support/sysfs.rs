//! Fake `/sys` and `/proc` trees below a temporary directory, and meters in
//! them that move.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use eprof::host::SysRoot;
use tempfile::TempDir;

/// The largest value of a package zone with 2⁻¹⁴ J units.
pub(crate) const RANGE_14: u64 = 262_143_328_850;
/// The largest value of a zone with 2⁻¹⁶ J units.
pub(crate) const RANGE_16: u64 = 65_532_610_987;

/// A fake tree. Removed when dropped.
pub(crate) struct Tree {
    directory: TempDir,
}

impl Tree {
    /// An empty tree.
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { directory }
    }

    /// The root to hand to eprof.
    pub(crate) fn root(&self) -> SysRoot {
        SysRoot::new(self.directory.path())
    }

    /// Where the root lies, e.g. for `EPROF_SYSROOT`.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The real path of an absolute path.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root().path(path)
    }

    /// Writes a file, with a newline after it as the kernel does.
    pub(crate) fn write(&self, path: &str, text: impl ToString) -> &Self {
        self.write_bytes(path, format!("{}\n", text.to_string()).as_bytes())
    }

    /// Writes arbitrary bytes.
    pub(crate) fn write_bytes(&self, path: &str, bytes: &[u8]) -> &Self {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// Makes a directory.
    pub(crate) fn directory(&self, path: &str) -> &Self {
        std::fs::create_dir_all(self.at(path)).unwrap();
        self
    }

    /// CPUs: `packages` × `dies` × `cores` × `threads`, numbered in that
    /// order; core ids count up within a package.
    pub(crate) fn cpus(&self, packages: u32, dies: u32, cores: u32, threads: u32) -> &Self {
        let mut cpu = 0;
        for package in 0..packages {
            for die in 0..dies {
                for core in 0..cores {
                    for _ in 0..threads {
                        let base = format!("/sys/devices/system/cpu/cpu{cpu}/topology");
                        self.write(&format!("{base}/physical_package_id"), package);
                        self.write(&format!("{base}/die_id"), die);
                        self.write(&format!("{base}/core_id"), die * cores + core);
                        cpu += 1;
                    }
                }
            }
        }
        let online = if cpu == 1 {
            "0".into()
        } else {
            format!("0-{}", cpu - 1)
        };
        self.write("/sys/devices/system/cpu/online", online)
    }

    /// A powercap zone, e.g. `intel-rapl:0`, with its name and counter.
    pub(crate) fn zone(&self, zone: &str, name: &str, energy: u64, range: u64) -> &Self {
        let base = format!("/sys/class/powercap/{zone}");
        self.write(&format!("{base}/name"), name);
        self.write(&format!("{base}/max_energy_range_uj"), range);
        self.write(&format!("{base}/energy_uj"), energy)
    }

    /// The path of a zone's counter.
    pub(crate) fn counter(&self, zone: &str) -> PathBuf {
        self.at(&format!("/sys/class/powercap/{zone}/energy_uj"))
    }

    /// A perf PMU with its events, as the kernel's RAPL driver lists them.
    pub(crate) fn pmu(
        &self,
        name: &str,
        number: u32,
        cpumask: &str,
        events: &[(&str, u32)],
    ) -> &Self {
        let base = format!("/sys/bus/event_source/devices/{name}");
        self.write(&format!("{base}/type"), number);
        self.write(&format!("{base}/cpumask"), cpumask);
        self.write(&format!("{base}/format/event"), "config:0-7");
        for (event, config) in events {
            self.write(
                &format!("{base}/events/{event}"),
                format!("event={config:#04x}"),
            );
            self.write(&format!("{base}/events/{event}.unit"), "Joules");
            self.write(
                &format!("{base}/events/{event}.scale"),
                "2.3283064365386962890625e-10",
            );
        }
        self
    }

    /// The processor's identification.
    pub(crate) fn processor(&self, vendor: &str, family: u32, model: u32, flags: &str) -> &Self {
        self.write(
            "/proc/cpuinfo",
            format!(
                "processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\n\
                 model\t\t: {model}\nmodel name\t: a processor\nstepping\t: 4\n\
                 flags\t\t: {flags}\n"
            ),
        )
    }

    /// One Intel client processor: 4 cores with all five domains in powercap.
    pub(crate) fn client() -> Self {
        let tree = Self::new();
        tree.cpus(1, 1, 4, 2)
            .processor("GenuineIntel", 6, 0x9e, "fpu")
            .directory("/sys/class/powercap/intel-rapl")
            .zone("intel-rapl:0", "package-0", 1_000_000, RANGE_14)
            .zone("intel-rapl:0:0", "core", 500_000, RANGE_14)
            .zone("intel-rapl:0:1", "uncore", 70_000, RANGE_14)
            .zone("intel-rapl:0:2", "dram", 90_000, RANGE_14)
            .zone("intel-rapl:1", "psys", 9_000_000, RANGE_14);
        tree
    }

    /// Two server sockets with DRAM, whose unit differs from the package's.
    pub(crate) fn server() -> Self {
        let tree = Self::new();
        tree.cpus(2, 1, 2, 2)
            .processor("GenuineIntel", 6, 0x55, "fpu");
        for socket in 0..2 {
            tree.zone(
                &format!("intel-rapl:{socket}"),
                &format!("package-{socket}"),
                1_000_000,
                RANGE_14,
            );
            tree.zone(&format!("intel-rapl:{socket}:0"), "dram", 90_000, RANGE_16);
        }
        tree
    }

    /// Moves the counters of these zones until the result is dropped.
    pub(crate) fn moving(&self, zones: &[(&str, f64)]) -> Moving {
        let files = zones
            .iter()
            .map(|(zone, watts)| (self.counter(zone), *watts));
        Moving::start(files.collect())
    }
}

/// A thread that advances counters in microjoules with the time, about a
/// thousand times a second, as the hardware does. A file is replaced by
/// renaming, so that no reader ever sees half a number.
pub(crate) struct Moving {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Moving {
    /// Starts from the values in the files; each moves at its own watts.
    pub(crate) fn start(files: Vec<(PathBuf, f64)>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let read = |path: &Path| -> u64 {
            let text = std::fs::read_to_string(path).unwrap();
            text.trim().parse().unwrap()
        };
        let start: Vec<u64> = files.iter().map(|(path, _)| read(path)).collect();
        let thread = std::thread::spawn(move || {
            let begin = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let seconds = begin.elapsed().as_secs_f64();
                for ((path, watts), start) in files.iter().zip(&start) {
                    let value = start + (watts * seconds * 1e6) as u64;
                    let next = path.with_extension("next");
                    std::fs::write(&next, format!("{value}\n")).unwrap();
                    std::fs::rename(&next, path).unwrap();
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
