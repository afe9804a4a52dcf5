//! Where cgroup v2 is mounted, and which cgroup we are in: pure parsing of
//! `/proc/self/mountinfo` and `/proc/self/cgroup` (proc(5), cgroups(7)).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// One mount of the cgroup v2 hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupMount {
    /// The cgroup that is visible at `point`; `/` unless a part of the
    /// hierarchy was bind-mounted, as container runtimes do.
    pub root: PathBuf,
    /// Where it is mounted.
    pub point: PathBuf,
}

impl CgroupMount {
    /// The directory of the cgroup named `cgroup` in `/proc/self/cgroup`;
    /// `None` where it lies outside this mount.
    ///
    /// Both names are relative to the root of the cgroup namespace, so a
    /// prefix comparison is enough; a cgroup above that root is written with
    /// `..` and has no path through a mount that shows less.
    pub fn directory(&self, cgroup: &Path) -> Option<PathBuf> {
        let below = cgroup.strip_prefix(&self.root).ok()?;
        let climbs = below
            .components()
            .any(|part| part == std::path::Component::ParentDir);
        (!climbs).then(|| self.point.join(below))
    }
}

/// All cgroup v2 mounts in the text of a mountinfo file, the last mounted
/// first (a later mount may cover an earlier one). Lines that make no sense
/// are skipped.
pub fn cgroup_mounts(mountinfo: &[u8]) -> Vec<CgroupMount> {
    let mut mounts: Vec<_> = mountinfo
        .split(|&byte| byte == b'\n')
        .filter_map(cgroup_mount)
        .collect();
    mounts.reverse();
    mounts
}

/// A line of mountinfo is
/// `36 35 98:0 /root /point rw,noatime master:1 … - type source superoptions`
/// with any number of optional fields before the dash.
fn cgroup_mount(line: &[u8]) -> Option<CgroupMount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let root = fields.nth(3)?;
    let point = fields.next()?;
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let (root, point) = (unescape(root), unescape(point));
    (kind == b"cgroup2" && root.is_absolute() && point.is_absolute())
        .then_some(CgroupMount { root, point })
}

/// Undoes the octal escapes (`\040`) with which the kernel writes white space
/// and backslashes in paths (`mangle` in fs/seq_file.c).
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        match octal(rest) {
            Some(byte) => {
                bytes.push(byte);
                rest = rest.get(4..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn octal(text: &[u8]) -> Option<u8> {
    let [b'\\', digits @ ..] = text.get(..4)? else {
        return None;
    };
    digits.iter().try_fold(0_u8, |value, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        value.checked_mul(8)?.checked_add(digit)
    })
}

/// The caller's own cgroup v2 in the text of `/proc/self/cgroup`: the line
/// with hierarchy 0 and no controllers. `None` where there is none (a kernel
/// with cgroup v1 only) or where the cgroup was deleted beneath the process.
pub fn own_cgroup(text: &[u8]) -> Option<PathBuf> {
    let path = text
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(b"0::"))?;
    let path = Path::new(OsStr::from_bytes(path));
    (path.is_absolute() && !path.as_os_str().as_bytes().ends_with(b" (deleted)"))
        .then(|| path.to_owned())
}
