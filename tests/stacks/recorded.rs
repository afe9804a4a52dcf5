//! The stacks of a recording of eprof's.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use eprof::measurement::{Frame, StackId};
use eprof::recording::{Catalog, Footprint, Recording};

use super::walk::{At, Step, Walk};

/// All stacks of a recording, and how often each was sampled.
pub fn stacks(recording: &Path) -> Vec<(Walk, u64)> {
    let recording = load(recording);
    let mut counts: BTreeMap<StackId, u64> = BTreeMap::new();
    for sample in recording.intervals.iter().flat_map(|one| &one.samples) {
        *counts.entry(sample.stack).or_default() += u64::from(sample.count);
    }
    let catalog = &recording.catalog;
    let walks = counts.into_iter();
    walks
        .map(|(stack, count)| (walk(catalog, stack), count))
        .collect()
}

/// What eprof says that it cost.
pub fn footprint(recording: &Path) -> Footprint {
    load(recording).catalog.end.unwrap().footprint
}

fn load(recording: &Path) -> Recording {
    let file = File::open(recording).unwrap();
    let length = file.metadata().unwrap().len();
    Recording::load(file, Some(length)).unwrap()
}

fn walk(catalog: &Catalog, leaf: StackId) -> Walk {
    let mut walk = Walk::default();
    let mut next = Some(leaf);
    while let Some(stack) = next {
        let node = &catalog.stacks[stack.0 as usize];
        match catalog.frames[node.frame.0 as usize] {
            Frame::User {
                object,
                offset,
                returns,
            } => {
                let path = &catalog.objects[object.0 as usize].path;
                walk.steps.push(Step::File {
                    path: PathBuf::from(path),
                    at: At::Offset(offset),
                    returns,
                });
            }
            Frame::Kernel { .. } => {}
            Frame::Unmapped(_) | Frame::Generated { .. } => walk.steps.push(Step::Nowhere),
            Frame::Broken(why) => walk.broken = Some(format!("{why:?}").to_lowercase()),
        }
        next = node.parent;
    }
    walk
}
