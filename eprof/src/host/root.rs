//! Where `/sys` and `/proc` are read: below a root that can be set.

use std::path::{Path, PathBuf};

/// The environment variable that sets the root (for tests and containers that
/// mount the host's files elsewhere).
pub const ROOT_VARIABLE: &str = "EPROF_SYSROOT";

/// The root below which all of `/sys` and `/proc` is read.
///
/// Only reading *about the machine* goes through here; the target's own
/// `/proc/PID` files and cgroups are always the real ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SysRoot(PathBuf);

impl SysRoot {
    /// A root at `path`; `/` is the machine itself.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The machine itself.
    pub fn machine() -> Self {
        Self::new("/")
    }

    /// The root that the option gives, else the environment variable
    /// [`ROOT_VARIABLE`], else the machine itself. An empty value is none.
    pub fn find(option: Option<&Path>) -> Self {
        let given = |path: &PathBuf| !path.as_os_str().is_empty();
        option
            .map(Path::to_owned)
            .filter(given)
            .or_else(|| Some(PathBuf::from(std::env::var_os(ROOT_VARIABLE)?)).filter(given))
            .map_or_else(Self::machine, Self::new)
    }

    /// Whether this is the machine itself, so that a file below the root and
    /// a system call speak of the same hardware.
    pub fn is_machine(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// The real path of the absolute path `path` (e.g. `/sys/class/powercap`).
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The contents of a file below the root, without trailing white space.
    pub fn read(&self, path: impl AsRef<Path>) -> std::io::Result<String> {
        std::fs::read_to_string(self.path(path)).map(|text| text.trim_end().to_owned())
    }
}
