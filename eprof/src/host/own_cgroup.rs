//! Where the cgroup of this process is.

use std::fs;
use std::path::{Path, PathBuf};

use super::mountinfo::{cgroup_mounts, own_cgroup};

/// The directory of the cgroup of this process. It lists this process: namespaces
/// and bind mounts can make the names of cgroups lie.
///
/// # Errors
///
/// One sentence that says why there is none.
pub fn directory() -> Result<PathBuf, String> {
    let read = |path: &str| fs::read(path).map_err(|error| format!("cannot read {path}: {error}"));
    let mounts = cgroup_mounts(&read("/proc/self/mountinfo")?);
    if mounts.is_empty() {
        return Err("cgroup v2 is not mounted".to_owned());
    }
    let own = own_cgroup(&read("/proc/self/cgroup")?)
        .ok_or("the kernel names no cgroup v2 for this process")?;
    mounts
        .iter()
        .filter_map(|mount| mount.directory(&own))
        .find(|directory| contains_us(directory))
        .ok_or_else(|| {
            format!(
                "the cgroup {} of this process is not visible below any cgroup v2 mount",
                own.display()
            )
        })
}

fn contains_us(directory: &Path) -> bool {
    let us = std::process::id().to_string();
    fs::read_to_string(directory.join("cgroup.procs"))
        .is_ok_and(|list| list.lines().any(|pid| pid == us))
}
