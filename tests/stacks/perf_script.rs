//! Stacks as `perf script` tells them. perf unwinds what it has copied only
//! now.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::walk::{At, Step, Walk};

/// The stacks of a command, as perf records them.
pub fn record(directory: &Path, command: &[String]) -> Vec<(Walk, u64)> {
    let path = directory.join("perf.data");
    // Copies of 32 KiB of the stack: enough for all but the largest frames.
    let options = [
        "-q",
        "-e",
        "cpu-clock",
        "-F",
        "997",
        "--call-graph=dwarf,32768",
        "-o",
    ];
    let output = Command::new("perf")
        .arg("record")
        .args(options)
        .arg(&path)
        .arg("--")
        .args(command)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    stacks(&path)
}

/// How perf is asked to unwind the recording that is named next.
pub const SCRIPT: [&str; 5] = ["script", "--no-inline", "-F", "pid,tid,ip,dso", "-i"];

/// The stacks of a `perf.data`.
pub fn stacks(path: &Path) -> Vec<(Walk, u64)> {
    let output = Command::new("perf")
        .args(SCRIPT)
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut stacks = Vec::new();
    for sample in text.split("\n\n") {
        let mut walk = Walk::default();
        let mut is_sample = false;
        for line in sample.lines() {
            if !line.starts_with([' ', '\t']) || !line.contains('(') {
                is_sample |= line.contains('/');
                continue;
            }
            is_sample = true;
            walk.steps.extend(step(line.trim(), !walk.steps.is_empty()));
        }
        if is_sample {
            stacks.push((walk, 1));
        }
    }
    stacks
}

/// `27249 (/usr/lib/libc.so.6)`: the offset in the file, one less than the
/// return address (libdw's `dwfl_thread_getframes` asks for that).
fn step(line: &str, returns: bool) -> Option<Step> {
    let (address, file) = line.split_once(" (")?;
    let file = file.strip_suffix(')')?;
    if file.starts_with("[kernel") || address.len() == 16 && address.starts_with('f') {
        return None;
    }
    if file.starts_with("[unknown") || file.starts_with("//anon") {
        return Some(Step::Nowhere);
    }
    let offset = u64::from_str_radix(address, 16).ok()?;
    Some(Step::File {
        path: PathBuf::from(file),
        at: At::Offset(offset + u64::from(returns)),
        returns,
    })
}
