//! Stacks of a profile of samply's: the "processed profile format" of the
//! Firefox Profiler (docs-developer/processed-profile-format.md there), version
//! 49, which has its tables in each thread.

use std::fs::File;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::walk::{At, Step, Walk};

/// The category of kernel frames.
const KERNEL: &str = "Kernel";

/// The stacks of a profile.
pub fn stacks(path: &Path) -> Vec<(Walk, u64)> {
    let file = GzDecoder::new(File::open(path).unwrap());
    let profile: Value = serde_json::from_reader(file).unwrap();
    let mut stacks = Vec::new();
    for thread in profile["threads"].as_array().unwrap() {
        let samples = &thread["samples"];
        for (n, stack) in samples["stack"].as_array().unwrap().iter().enumerate() {
            let Some(stack) = stack.as_u64() else {
                continue;
            };
            let weight = samples["weight"][n].as_u64().unwrap_or(1);
            stacks.push((walk(&profile, thread, stack), weight));
        }
    }
    stacks
}

fn walk(profile: &Value, thread: &Value, leaf: u64) -> Walk {
    let mut walk = Walk::default();
    let mut next = Some(leaf);
    while let Some(stack) = next {
        let frame = thread["stackTable"]["frame"][stack as usize].as_u64();
        let frame = frame.unwrap() as usize;
        let returns = !walk.steps.is_empty();
        walk.steps.extend(step(profile, thread, frame, returns));
        next = thread["stackTable"]["prefix"][stack as usize].as_u64();
    }
    walk
}

/// Addresses are relative to the lowest of the file; those of callers are one
/// less than the return address.
fn step(profile: &Value, thread: &Value, frame: usize, returns: bool) -> Option<Step> {
    let frames = &thread["frameTable"];
    let category = frames["category"][frame].as_u64()? as usize;
    if profile["meta"]["categories"][category]["name"] == KERNEL {
        return None;
    }
    let function = frames["func"][frame].as_u64()? as usize;
    let resource = thread["funcTable"]["resource"][function].as_u64();
    let library = resource.and_then(|n| thread["resourceTable"]["lib"][n as usize].as_u64());
    let address = frames["address"][frame].as_u64();
    let (Some(library), Some(address)) = (library, address) else {
        return Some(Step::Nowhere);
    };
    let path = profile["libs"][library as usize]["path"].as_str()?;
    Some(Step::File {
        path: PathBuf::from(path),
        at: At::Relative(address + u64::from(returns)),
        returns,
    })
}
