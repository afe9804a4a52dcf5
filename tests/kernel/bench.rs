//! What the tests of the kernel side share: a workload, run under a probe.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{MutexGuard, OnceLock};
use std::time::Duration;

pub use crate::support::skip;
use eprof::caveat::Caveat;
use eprof::host::mountinfo::cgroup_mounts;
use eprof::kernel::{KernelEvent, Probe, Sample, Settings};
use eprof::measurement::{Counter, IntervalAccounts, Loss, Signals, Task, TaskId};
use eprof::unit::{Nanos, Timestamp};

/// Whether the tests can run at all. One test at a time: they measure.
pub fn turn() -> Option<MutexGuard<'static, ()>> {
    if !nix::unistd::Uid::effective().is_root() {
        skip("needs root");
        return None;
    }
    Some(crate::turn())
}

/// Settings with and without BTF. For the latter, tracefs is mounted where
/// only this thread sees it.
pub fn both(settings: &Settings) -> Vec<Settings> {
    let mut all = vec![settings.clone()];
    if Path::new("/sys/kernel/tracing/events").is_dir() || mount_tracefs() {
        all.push(Settings {
            no_btf: true,
            ..settings.clone()
        });
    } else {
        skip("tracefs can be mounted neither here nor in a namespace");
    }
    all
}

fn mount_tracefs() -> bool {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    let none: Option<&str> = None;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    unshare(CloneFlags::CLONE_NEWNS).is_ok()
        && mount(none, "/", none, private, none).is_ok()
        && mount(
            Some("tracefs"),
            "/sys/kernel/tracing",
            Some("tracefs"),
            MsFlags::empty(),
            none,
        )
        .is_ok()
}

/// The compiled workload, see `programs/workload.rs`.
pub fn workload() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("workload");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs/workload.rs");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let status = Command::new(rustc)
            .args(["--edition=2024", "-O", "-Cforce-frame-pointers=yes", "-o"])
            .arg(&out)
            .arg(source)
            .status()
            .expect("rustc");
        assert!(status.success(), "the workload does not compile");
        out
    })
}

/// A cgroup of its own for one workload.
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// `None`, and a word about it, where none can be made.
    pub fn new() -> Option<Self> {
        let mounts = cgroup_mounts(&fs::read("/proc/self/mountinfo").unwrap());
        let Some(mount) = mounts.first() else {
            skip("there is no cgroup v2");
            return None;
        };
        let path = mount
            .point
            .join(format!("eprof-test-{}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => Some(Self(path)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Some(Self(path)),
            Err(error) => {
                skip(&format!("{}: {error}", path.display()));
                None
            }
        }
    }

    pub fn directory(&self) -> File {
        File::open(&self.0).unwrap()
    }

    pub fn add(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// CPU time of everything that ever ran in it.
    pub fn usage(&self) -> Nanos {
        let stat = fs::read_to_string(self.0.join("cpu.stat")).unwrap();
        let usec = stat
            .lines()
            .find_map(|line| line.strip_prefix("usage_usec "))
            .unwrap();
        Nanos(usec.parse::<u64>().unwrap() * 1000)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Everything that was measured of one workload.
#[derive(Debug)]
pub struct Measured {
    pub status: ExitStatus,
    /// What the workload said first: the address of its function `hot`.
    pub hot: u64,
    /// CPU time of the workload and the children it waited for, after wait4,
    /// without what it took before the probe was started.
    pub rusage: Nanos,
    /// How often it was switched out meanwhile because it went to sleep, and
    /// because another thread was to run, as the kernel counts for wait4 (one
    /// thread; the last switch is not counted).
    pub switched: (u64, u64),
    /// The counters that there were, and those not to be trusted at the end.
    pub counters: (Vec<Counter>, Vec<Counter>),
    /// Most that a hypervisor can have taken away meanwhile: the kernel's own
    /// books leave it out (CONFIG_PARAVIRT_TIME_ACCOUNTING), the clock does
    /// not.
    pub stolen: Nanos,
    /// The workload's id.
    pub pid: u32,
    pub tasks: Vec<Task>,
    pub gone: Vec<(TaskId, Timestamp)>,
    pub renamed: Vec<(TaskId, String)>,
    pub samples: Vec<Sample>,
    pub intervals: Vec<IntervalAccounts>,
    pub losses: Loss,
    pub footprint: Vec<(String, u64, Option<f64>)>,
    pub caveats: Vec<Caveat>,
}

impl Measured {
    /// On-CPU time of all tasks for which `which` holds.
    pub fn time(&self, which: impl Fn(TaskId) -> bool) -> Nanos {
        let threads = self.intervals.iter().flat_map(|interval| &interval.threads);
        threads
            .filter(|thread| which(thread.task))
            .map(|thread| thread.signals.on_cpu)
            .sum()
    }

    /// Everything that was measured of the target, together.
    pub fn signals(&self) -> Signals {
        let mut all = Signals::default();
        for cpu in self.intervals.iter().flat_map(|interval| &interval.cpus) {
            all += cpu.target;
        }
        all
    }

    /// Time in the target, over all CPUs.
    pub fn target(&self) -> Nanos {
        let cpus = self.intervals.iter().flat_map(|interval| &interval.cpus);
        cpus.map(|cpu| cpu.target.on_cpu).sum()
    }

    pub fn runs(&self, program: &str) -> u64 {
        self.footprint
            .iter()
            .find(|(name, ..)| name == program)
            .unwrap()
            .1
    }
}

/// Runs the workload with `arguments`, waits for it, and closes an interval
/// every `every`. Samples are of the cgroup where there is one, else of the
/// process.
pub fn measure(
    settings: &Settings,
    arguments: &[&str],
    every: Duration,
    cgroup: Option<&Cgroup>,
) -> Measured {
    measure_by(settings, arguments, cgroup, |_| std::thread::sleep(every))
}

/// As [`measure`]; an interval is closed whenever `until` returns.
#[expect(clippy::zombie_processes, reason = "waited for with wait4")]
pub fn measure_by(
    settings: &Settings,
    arguments: &[&str],
    cgroup: Option<&Cgroup>,
    mut until: impl FnMut(&mut Probe),
) -> Measured {
    // Compiled before anything is followed.
    let program = workload();
    let mut probe =
        Probe::load(settings).unwrap_or_else(|error| panic!("{error} ({:?})", error.given_hint()));
    let mut child = probe
        .adopting(|| {
            Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .unwrap();
    let pid = child.id();
    match cgroup {
        Some(cgroup) => {
            cgroup.add(pid);
            probe.sample_cgroup(&cgroup.directory()).unwrap();
        }
        None => probe.sample_process(pid).unwrap(),
    }
    // It has said this when it waits for us: then nothing is on its way.
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let hot = u64::from_str_radix(line.trim().trim_start_matches("0x"), 16).unwrap();

    let mut measured = Measured {
        status: ExitStatus::from_raw(0),
        hot,
        rusage: Nanos::ZERO,
        switched: (0, 0),
        counters: (Vec::new(), Vec::new()),
        stolen: Nanos::ZERO,
        pid,
        tasks: Vec::new(),
        gone: Vec::new(),
        renamed: Vec::new(),
        samples: Vec::new(),
        intervals: Vec::new(),
        losses: Loss::default(),
        footprint: Vec::new(),
        caveats: Vec::new(),
    };
    let before = on_cpu(pid);
    let switches_before = switches(pid);
    let steal = steal();
    probe.start().unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    loop {
        until(&mut probe);
        let ended = wait(pid);
        if ended.is_some() {
            // What is switched away for the last time is freed a little later.
            std::thread::sleep(Duration::from_millis(50));
        }
        close(&mut probe, &mut measured);
        if let Some((status, rusage, switches)) = ended {
            measured.status = status;
            measured.rusage = rusage.saturating_sub(before);
            measured.switched = (
                switches.0.saturating_sub(switches_before.0),
                switches.1.saturating_sub(switches_before.1),
            );
            break;
        }
    }
    // Both kinds of accounts are empty after the end.
    close(&mut probe, &mut measured);
    let now = self::steal();
    // The numbers are rounded down.
    let ticks = if now == 0 { 0 } else { now - steal + 1 };
    measured.stolen = Nanos(ticks * 10_000_000);
    measured.losses = probe.losses();
    measured.counters = (probe.counters(), probe.distrusted());
    measured.footprint = probe.footprint();
    measured.caveats = probe.caveats();
    measured
}

fn close(probe: &mut Probe, measured: &mut Measured) {
    let interval = probe.close_interval().unwrap();
    probe.drain(&mut |event| match event {
        KernelEvent::Created(task) => {
            assert_eq!(task.id.0 as usize, measured.tasks.len(), "ids are dense");
            measured.tasks.push(task);
        }
        KernelEvent::Renamed { task, comm, .. } => {
            assert!((task.0 as usize) < measured.tasks.len());
            measured.renamed.push((task, comm));
        }
        KernelEvent::Gone { task, at } => {
            assert!((task.0 as usize) < measured.tasks.len());
            measured.gone.push((task, at));
        }
        KernelEvent::Sample(sample) => {
            assert!(
                sample
                    .task
                    .is_none_or(|task| (task.0 as usize) < measured.tasks.len())
            );
            measured.samples.push(sample);
        }
        KernelEvent::Mapped(_) => panic!("the probe follows no mappings"),
    });
    for thread in &interval.threads {
        assert!((thread.task.0 as usize) < measured.tasks.len());
    }
    measured.intervals.push(interval);
}

/// Time stolen from all CPUs since boot, in units of 10 ms (`USER_HZ`), see
/// proc_stat(5).
fn steal() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let all = stat.lines().next().unwrap();
    all.split_whitespace().nth(8).unwrap().parse().unwrap()
}

/// CPU time of a process with one thread so far (the first number of
/// `/proc/PID/schedstat`, `Documentation/scheduler/sched-stats.rst`).
fn on_cpu(pid: u32) -> Nanos {
    let stat = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    Nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// Switches of a process with one thread so far: voluntary ones and others
/// (proc_pid_status(5)).
fn switches(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    };
    (
        field("voluntary_ctxt_switches:"),
        field("nonvoluntary_ctxt_switches:"),
    )
}

/// Whether the child has ended, and how, and its CPU time and its switches
/// (voluntary and others) with those of the children it waited for.
fn wait(pid: u32) -> Option<(ExitStatus, Nanos, (u64, u64))> {
    let mut status = 0;
    // SAFETY: all zeroes is a valid rusage; both pointers are valid.
    let (answer, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let answer = libc::wait4(pid as i32, &mut status, libc::WNOHANG, &mut usage);
        (answer, usage)
    };
    assert!(answer >= 0, "wait4");
    let nanos =
        |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1000;
    (answer > 0).then(|| {
        let time = nanos(usage.ru_utime) + nanos(usage.ru_stime);
        let switches = (usage.ru_nvcsw as u64, usage.ru_nivcsw as u64);
        (ExitStatus::from_raw(status), Nanos(time), switches)
    })
}

/// Fails unless the target's time is `other`, give or take 1 % and what a
/// hypervisor took away.
pub fn agrees(measured: &Measured, what: &str, other: Nanos) {
    let target = measured.target();
    let ratio = target.0 as f64 / other.0 as f64;
    eprintln!("{what}: {} / {} ns = {ratio:.5}", target.0, other.0);
    let slack = other.0 / 100 + measured.stolen.0;
    assert!(
        target.0.abs_diff(other.0) <= slack,
        "{what}: {target:?} is not {other:?}"
    );
}
