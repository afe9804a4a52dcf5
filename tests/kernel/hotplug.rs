//! CPUs that go offline and come online during a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::bench::{turn, workload};
use crate::support::{Report, absent, eprof};

/// The CPU that comes and goes.
const CPU: u32 = 1;

/// How long the CPU is away: so short that no list of CPUs need show it.
const AWAY: Duration = Duration::from_millis(5);

/// The switch of a CPU, which is on again in the end.
struct Switch(PathBuf);

impl Switch {
    /// `None`, and a word about it, where it cannot be switched.
    fn new() -> Option<Self> {
        let path = format!("/sys/devices/system/cpu/cpu{CPU}/online");
        let switch = Self(path.into());
        match fs::write(&switch.0, "1") {
            Ok(()) => Some(switch),
            Err(error) => {
                absent(&format!("{}: {error}", switch.0.display()));
                None
            }
        }
    }

    fn off(&self) {
        // The kernel may be at it already, or not let go at once.
        for _ in 0..50 {
            if fs::write(&self.0, "0").is_ok() {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("CPU {CPU} cannot be switched off");
    }

    fn on(&self) {
        fs::write(&self.0, "1").unwrap();
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = fs::write(&self.0, "1");
    }
}

/// Two processes that are busy for 0.9 s each, and let others run.
const TARGET: &str = r#"
    echo > begun
    "$0" spin 900 < begun &
    "$0" spin 900 < begun
    wait
"#;

/// Runs eprof on a busy workload, switches the CPU meanwhile, and gives the report.
fn report(directory: &Path, meanwhile: impl FnOnce()) -> Report {
    let mut run = Command::new(eprof());
    run.current_dir(directory)
        .args([
            "run",
            "--no-flamegraph",
            "--source",
            "model",
            "--format",
            "json",
        ])
        .args(["--report", "report.json", "--"])
        .arg("sh")
        .args(["-c", TARGET])
        .arg(workload())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let run = run.spawn().unwrap();
    while !directory.join("begun").exists() {
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_millis(250));
    meanwhile();
    let output = run.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let text = fs::read(directory.join("report.json")).unwrap();
    let report = Report(serde_json::from_slice(&text).unwrap());
    report.assert_balanced();
    report
}

/// The sentence of a caveat.
fn said<'a>(report: &'a Report, code: &str) -> Option<&'a str> {
    let mut rows = report.rows("caveats").iter();
    rows.find(|row| row["code"] == code)?["sentence"].as_str()
}

/// Most of the target's time is sampled, and all of it is there.
fn assert_sampled(report: &Report) {
    let cpu = report.sum("threads", "cpu_ns") as f64 / 1e9;
    assert!((1.75..2.2).contains(&cpu), "{cpu} s");
    let samples = report.sum("threads", "samples") as f64;
    assert!(samples > 0.75 * 997.0 * cpu, "{samples} samples in {cpu} s");
}

#[test]
fn a_whole_run_survives_cpus_that_go_and_come_back() {
    let Some(_turn) = turn() else { return };
    let Some(switch) = Switch::new() else { return };
    let directory = tempfile::tempdir().unwrap();
    let report = report(directory.path(), || {
        for _ in 0..2 {
            switch.off();
            sleep(AWAY);
            switch.on();
            sleep(Duration::from_millis(150));
        }
    });
    assert_sampled(&report);
    let said = said(&report, "cpu-came-back").expect("it is said");
    assert!(said.starts_with("CPU 1 went offline"), "{said}");
}

#[test]
fn a_cpu_that_comes_online_during_a_run_is_sampled_and_named() {
    let Some(_turn) = turn() else { return };
    let Some(switch) = Switch::new() else { return };
    switch.off();
    let directory = tempfile::tempdir().unwrap();
    let report = report(directory.path(), || switch.on());
    assert_sampled(&report);
    let said = said(&report, "cpu-came-online").expect("it is said");
    assert!(said.starts_with("CPU 1 came online"), "{said}");
}
