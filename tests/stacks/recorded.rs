//! The stacks of a recording of eprof's.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use eprof::recording::{Catalog, Frame, Recording, StackId};

use super::walk::{At, Step, Walk};

/// All stacks of a recording, and how often each was sampled.
pub fn stacks(recording: &Path) -> Vec<(Walk, u64)> {
    let file = File::open(recording).unwrap();
    let length = file.metadata().unwrap().len();
    let recording = Recording::load(file, Some(length)).unwrap();
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
            Frame::Unmapped(_) => walk.steps.push(Step::Nowhere),
            Frame::Broken(why) => walk.broken = Some(format!("{why:?}").to_lowercase()),
        }
        next = node.parent;
    }
    walk
}
