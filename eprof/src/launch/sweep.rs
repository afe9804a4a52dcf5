//! Clearing what dead runs left behind.

use std::fs;
use std::path::Path;

use super::clear::{clear, holds_live_run};
use super::run_name::RunName;

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Cgroups of dead runs that were removed.
    pub removed: usize,
    /// Processes of dead runs that still ran and were moved to the parent.
    pub moved: usize,
    /// Cgroups of live runs, left alone.
    pub live: usize,
    /// Cgroups of dead runs that could not be removed, each with the reason.
    pub left: Vec<String>,
}

/// Removes the cgroups below `parent` whose runs are dead. Processes that
/// still live in them are not killed but moved to `parent`, where they would
/// be had eprof not been there.
pub fn sweep(parent: &Path) -> Swept {
    let mut swept = Swept::default();
    let Ok(entries) = fs::read_dir(parent) else {
        return swept;
    };
    for entry in entries.filter_map(Result::ok) {
        if RunName::parse(&entry.file_name()).is_none() {
            continue;
        }
        let directory = entry.path();
        if holds_live_run(&directory) {
            swept.live += 1;
            continue;
        }
        let cleared = clear(&directory, parent);
        swept.moved += cleared.moved;
        match cleared.left {
            None => swept.removed += 1,
            Some(why) => swept.left.push(why),
        }
    }
    swept
}
