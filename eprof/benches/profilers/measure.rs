//! One run of a command below a profiler, and what it took.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;

use super::recorded;
use super::tools::Tool;

/// Between two looks at the profiler's memory: too rare to disturb.
const LOOK: Duration = Duration::from_millis(10);

/// What a run took.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Wall-clock time of the target itself, in seconds; zero where it was not
    /// measured.
    pub target: f64,
    /// CPU time of the profiler's process, in seconds.
    pub profiler: f64,
    /// That part of it which was used after the target's end, if it is known.
    pub after: f64,
    /// CPU time of its eBPF programs, in seconds, if it has some.
    pub programs: f64,
    /// Largest resident set of the profiler's process until the target's end,
    /// in bytes.
    pub recording: u64,
    /// The same until its own end.
    pub resident: u64,
    /// Size of the recording, in bytes.
    pub disk: u64,
}

/// Where the target writes down what it took.
const RESULT: &str = "target.json";

/// Makes the program that times the target, in `home`.
pub fn timer(home: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/profilers/timed.c");
    let timer = home.join("timed");
    let mut compiler = Command::new("gcc");
    let status = compiler
        .arg("-O2")
        .arg("-o")
        .args([&timer, &source])
        .status();
    assert!(status.unwrap().success());
    timer
}

/// Runs `argv` by `timer` below `tool` in an empty directory; `named` as in
/// [`Tool::command`].
pub fn run(tool: Tool, directory: &Path, timer: &Path, argv: &[String], named: bool) -> Run {
    let result = directory.join(RESULT);
    let text = |path: &Path| path.display().to_string();
    let mut words = vec![text(timer), text(&result)];
    words.extend(argv.iter().cloned());
    let mut run = follow(tool, directory, tool.command(directory, &words, named));
    let target: Value = serde_json::from_slice(&fs::read(&result).unwrap()).unwrap();
    run.target = target["wall"].as_f64().unwrap();
    run.profiler = (run.profiler - target["cpu"].as_f64().unwrap()).max(0.0);
    if let (Tool::Eprof, Some(recording)) = (tool, tool.recording(directory)) {
        let footprint = recorded::footprint(&recording);
        run.after = (run.profiler - footprint.cpu.seconds()).max(0.0);
        let programs = footprint.programs.iter();
        let programs = programs.map(|(_, runs, mean)| *runs as f64 * mean.unwrap_or(0.0));
        run.programs = programs.sum::<f64>() / 1e9;
    }
    run
}

/// Runs `command`, which is `tool`'s. The CPU time contains the target's.
pub fn follow(tool: Tool, directory: &Path, mut command: Command) -> Run {
    let before = cpu_time(UsageWho::RUSAGE_CHILDREN);
    let log = fs::File::create(directory.join("log")).unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut run = Run::default();
    let result = directory.join(RESULT);
    let process = Path::new("/proc").join(child.id().to_string());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        run.resident = run.resident.max(resident(&process));
        if !result.exists() {
            run.recording = run.resident;
        }
        std::thread::sleep(LOOK);
    };
    let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
    assert!(status.success(), "{tool:?}: {status}: {log}");
    run.profiler = cpu_time(UsageWho::RUSAGE_CHILDREN) - before;
    if let Some(recording) = tool.recording(directory) {
        run.disk = fs::metadata(recording).unwrap().len();
    }
    run
}

/// User and system time, in seconds.
pub fn cpu_time(who: UsageWho) -> f64 {
    let usage = getrusage(who).unwrap();
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// The high-water mark of a process's resident set, in bytes
/// (proc_pid_status(5)). eBPF maps that are mapped into it are part of it.
fn resident(process: &Path) -> u64 {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    let kibibytes = kibibytes.and_then(|word| word.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
