//! Trying things out: what the kernel says when eprof's system calls are made.

use std::path::{Path, PathBuf};

use aya::programs::ProgramType;
use aya::sys::is_program_supported;
use perf_event::Builder;
use perf_event::events::Software;

/// Loads the smallest possible perf_event program.
///
/// # Errors
/// The reason in words.
pub fn load_program() -> Result<(), String> {
    match is_program_supported(ProgramType::PerfEvent) {
        Ok(true) => Ok(()),
        Ok(false) => Err("the kernel has no BPF tracing programs".into()),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            Err(innermost(error).to_string())
        }
    }
}

fn innermost<'a>(
    mut error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// Opens a CPU-wide clock event on `cpu`, kernel included.
///
/// # Errors
/// What `perf_event_open(2)` says.
pub fn open_cpu_event(cpu: u32) -> std::io::Result<()> {
    Builder::new(Software::CPU_CLOCK)
        .any_pid()
        .one_cpu(cpu as usize)
        .include_kernel()
        .include_hv()
        .build()
        .map(drop)
}

/// The directory of this process's own cgroup in the version 2 hierarchy,
/// given the texts of `/proc/self/mountinfo` and `/proc/self/cgroup`
/// (`proc_pid_mountinfo(5)`, `cgroups(7)`).
pub fn own_cgroup(mountinfo: &str, cgroup: &str) -> Option<PathBuf> {
    let own = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    mountinfo.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        if right.split(' ').next()? != "cgroup2" {
            return None;
        }
        let mut fields = left.split(' ').skip(3);
        let (inside, mount) = (unescape(fields.next()?), unescape(fields.next()?));
        // With a cgroup namespace or a bind mount, the mount shows a part.
        let below = Path::new(own).strip_prefix(&inside).ok()?;
        Some(Path::new(&mount).join(below))
    })
}

/// Undoes the octal escapes of mountinfo (`\040` for a blank).
fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = tail
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (byte, code) {
            (b'\\', Some(code)) => {
                bytes.push(code);
                rest = tail.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Makes a cgroup below `parent` and removes it again.
///
/// # Errors
/// What `mkdir(2)` or `rmdir(2)` says.
pub fn make_cgroup(parent: &Path) -> std::io::Result<()> {
    let child = parent.join(format!("eprof-doctor-{}", std::process::id()));
    std::fs::create_dir(&child)?;
    std::fs::remove_dir(&child)
}

/// What came of trying things out on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trials {
    /// Loading a BPF program, or why not.
    pub program: Result<(), String>,
    /// Opening a CPU-wide perf event, or why not.
    pub event: Result<(), String>,
    /// Making a cgroup: below which directory, or why not.
    pub cgroup: Result<PathBuf, String>,
}

impl Trials {
    /// Tries everything, on the running kernel. `cpu` is an online CPU.
    pub fn run(cpu: u32) -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let parent = own_cgroup(&text("/proc/self/mountinfo"), &text("/proc/self/cgroup"));
        Self {
            program: load_program(),
            event: open_cpu_event(cpu).map_err(|error| error.to_string()),
            cgroup: match parent {
                None => Err("no cgroup version 2 hierarchy is mounted".into()),
                Some(parent) => match make_cgroup(&parent) {
                    Ok(()) => Ok(parent),
                    Err(error) => Err(format!(
                        "no cgroup can be made below {}: {error}",
                        parent.display()
                    )),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cgroup_is_found_where_version_2_is_mounted() {
        let hybrid = "30 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n\
                      41 30 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let own = "8:pids:/x\n0::/user.slice/me\n";
        assert_eq!(
            own_cgroup(hybrid, own),
            Some("/sys/fs/cgroup/unified/user.slice/me".into())
        );
        let bind = "41 30 0:38 /user.slice /a\\040b rw - cgroup2 cgroup2 rw\n";
        assert_eq!(own_cgroup(bind, own), Some("/a b/me".into()));
        assert_eq!(own_cgroup("", own), None);
        assert_eq!(own_cgroup(hybrid, "1:cpu:/\n"), None);
        assert_eq!(own_cgroup("\\ - cgroup2", own), None);
    }
}
