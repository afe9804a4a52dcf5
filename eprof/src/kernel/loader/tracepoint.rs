//! The layout of tracepoint records, from tracefs; only needed without BTF.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::host::elevation;

/// Where tracefs is usually mounted (`Documentation/trace/ftrace.rst`).
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The mounted tracefs.
pub(in crate::kernel) fn tracefs() -> Result<PathBuf> {
    let _raised = elevation::raised(elevation::READ);
    PLACES
        .iter()
        .map(PathBuf::from)
        .find(|place| place.join("events").is_dir())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                "without BTF, eprof needs tracefs, which is not mounted or not readable",
            )
            .hint("mount -t tracefs tracefs /sys/kernel/tracing")
        })
}

/// The offset of `field` in the records of `category:name`.
pub(in crate::kernel) fn offset(
    tracefs: &Path,
    category: &str,
    name: &str,
    field: &str,
) -> Option<u32> {
    let path = tracefs
        .join("events")
        .join(category)
        .join(name)
        .join("format");
    field_offset(&text(&path)?, field)
}

/// The number of `category:name`, by which perf_event_open(2) knows it.
pub(in crate::kernel) fn number(tracefs: &Path, category: &str, name: &str) -> Option<u64> {
    let path = tracefs.join("events").join(category).join(name).join("id");
    text(&path)?.trim().parse().ok()
}

/// The text of a file of tracefs, which only root may read.
fn text(path: &Path) -> Option<String> {
    let _raised = elevation::raised(elevation::READ);
    std::fs::read_to_string(path).ok()
}

/// Finds `field:<type> <field>[…]; offset:<n>; …` in a format description.
fn field_offset(format: &str, field: &str) -> Option<u32> {
    format.lines().find_map(|line| {
        let mut parts = line.trim().split(';').map(str::trim);
        let declaration = parts.next()?.strip_prefix("field:")?;
        let name = declaration.rsplit([' ', '*']).next()?;
        if name.split('[').next() != Some(field) {
            return None;
        }
        parts.next()?.strip_prefix("offset:")?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Linux 6.18.
    const RENAME: &str = "name: task_rename\nID: 120\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n\
        \tfield:char oldcomm[16];\toffset:12;\tsize:16;\tsigned:0;\n\
        \tfield:char newcomm[16];\toffset:28;\tsize:16;\tsigned:0;\n\n\
        print fmt: \"pid=%d oldcomm=%s\", REC->pid, REC->oldcomm\n";

    #[test]
    fn offsets_are_found_by_name() {
        assert_eq!(field_offset(RENAME, "pid"), Some(8));
        assert_eq!(field_offset(RENAME, "newcomm"), Some(28));
        assert_eq!(field_offset(RENAME, "comm"), None);
        assert_eq!(field_offset("", "pid"), None);
        assert_eq!(field_offset("field:pid_t pid; offset:x;", "pid"), None);
    }
}
