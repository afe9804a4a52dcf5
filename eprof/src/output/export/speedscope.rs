//! The file format of speedscope
//! (<https://www.speedscope.app/file-format-schema.json>): one profile of
//! energy and one of CPU time, both over the same frames.
//!
//! The format has no unit of energy: the numbers are microjoules, as the
//! profile's name says.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::profile::{Profile, SymbolFrame, UNSAMPLED};

use super::super::format::energy::EnergyText;
use super::super::format::sanitize::visible;
use super::stacks::{Stack, stacks};

/// A frame: name and file.
type Frame = (String, String);

/// Writes the profiles.
///
/// # Errors
///
/// The error of `out`.
pub fn write(profile: &Profile, mut out: impl Write) -> io::Result<()> {
    let stacks = stacks(profile);
    let mut numbers: HashMap<Frame, usize> = HashMap::new();
    let mut frames: Vec<Value> = Vec::new();
    let mut number = |frame: Frame| -> usize {
        if let Some(&number) = numbers.get(&frame) {
            return number;
        }
        let (name, file) = &frame;
        frames.push(match file.as_str() {
            "" => json!({ "name": name }),
            file => json!({ "name": name, "file": file }),
        });
        numbers.insert(frame, frames.len() - 1);
        frames.len() - 1
    };
    let samples: Vec<Vec<usize>> = stacks
        .iter()
        .map(|stack| path(profile, stack).into_iter().map(&mut number).collect())
        .collect();
    let name = visible(&profile.summary.header.command.argv.join(" ")).into_owned();
    let one = |what: &str, unit: &str, value: &dyn Fn(&Stack<'_>) -> u64| -> Value {
        let weights: Vec<u64> = stacks.iter().map(value).collect();
        json!({
            "type": "sampled",
            "name": format!("{name}: {what}"),
            "unit": unit,
            "startValue": 0,
            "endValue": weights.iter().sum::<u64>(),
            "samples": samples,
            "weights": weights,
        })
    };
    let mut profiles = Vec::new();
    // What nobody knows is no profile of zeros.
    if EnergyText::of(profile).known {
        let energy = |stack: &Stack<'_>| stack.row.energy.with_idle.0;
        profiles.push(one("energy in µJ", "none", &energy));
    }
    profiles.push(one("CPU time", "nanoseconds", &|stack| stack.row.cpu.0));
    let file = json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": concat!("eprof@", env!("CARGO_PKG_VERSION")),
        "name": name,
        "activeProfileIndex": 0,
        "shared": { "frames": frames },
        "profiles": profiles,
    });
    serde_json::to_writer(&mut out, &file)?;
    writeln!(out)
}

/// Root first: run (where there are several), process, thread, functions.
fn path(profile: &Profile, stack: &Stack<'_>) -> Vec<Frame> {
    let mut path = Vec::new();
    if let Some((thread, process)) = stack.thread {
        if let Some(run) = profile.members.get(thread.process.member) {
            path.push((visible(&run.name).into_owned(), String::new()));
        }
        let process = format!("{} ({})", visible(process), thread.process.pid);
        path.push((process, String::new()));
        let thread = format!("{}/{}", visible(&thread.comm), thread.tid);
        path.push((thread, String::new()));
    }
    let frame = |frame: &SymbolFrame| {
        let key = &frame.key;
        (
            visible(&key.function).into_owned(),
            visible(&key.module).into_owned(),
        )
    };
    path.extend(stack.row.frames.iter().map(frame));
    if stack.row.frames.is_empty() {
        path.push((UNSAMPLED.into(), String::new()));
    }
    path
}
