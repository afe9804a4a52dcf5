//! The running kernel: release, version, type information.

use super::root::SysRoot;

/// The oldest kernel that `eprof run` works on: BPF atomics that give the old
/// value back came with 5.12 (commit 5ca419f2864a), `BPF_PROG_TEST_RUN` of a
/// raw tracepoint program on a chosen CPU with 5.10 (commit 1b4d60ec162f), the
/// BPF ring buffer, `CAP_BPF` and `CAP_PERFMON` with 5.8, and `clone3` into a
/// cgroup with 5.7.
pub const OLDEST: (u32, u32) = (5, 12);

/// Where the kernel keeps its BTF type information.
pub const BTF: &str = "/sys/kernel/btf/vmlinux";

/// What is known of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Its release, e.g. `6.12.9-amd64`; empty where unknown.
    pub release: String,
    /// Major and minor version, where the release starts with them.
    pub version: Option<(u32, u32)>,
    /// Whether it carries BTF type information.
    pub btf: bool,
}

impl Kernel {
    /// Reads the release below `root`, or asks the running kernel where the
    /// root has none.
    pub fn read(root: &SysRoot) -> Self {
        let release = root
            .read("/proc/sys/kernel/osrelease")
            .ok()
            .or_else(|| {
                let name = nix::sys::utsname::uname().ok()?;
                Some(name.release().to_string_lossy().into_owned())
            })
            .unwrap_or_default();
        Self {
            version: version(&release),
            release,
            btf: root.path(BTF).is_file(),
        }
    }

    /// Whether it is older than [`OLDEST`]; an unknown version is not.
    pub fn is_too_old(&self) -> bool {
        self.version.is_some_and(|version| version < OLDEST)
    }
}

/// Major and minor version of a release such as `6.12.9-amd64`.
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_compare_as_numbers() {
        assert_eq!(version("6.12.9-amd64"), Some((6, 12)));
        assert_eq!(version("5.4-rc1"), Some((5, 4)));
        assert!(version("5.9.0") < version("5.10.0"));
        for garbage in ["", "linux", "6", "6.", ".5", "99999999999.1"] {
            assert_eq!(version(garbage), None, "{garbage}");
        }
    }
}
