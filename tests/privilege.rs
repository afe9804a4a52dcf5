//! Who may do what with eprof, in each installation: file capabilities, the
//! set-user-id bit, sudo, a plain user. SECURITY.md names these tests.

mod capabilities;
mod reasons;
mod terminal;

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::{self, eprof, root};

/// The user `nobody`, and its group.
const NOBODY: u32 = 65_534;

/// What SECURITY.md recommends.
const CAPABILITIES: &str = "cap_bpf,cap_perfmon,cap_dac_read_search,cap_syslog";

/// A copy of eprof with rights of its own, and a directory of `nobody`, where it is
/// run by `nobody`.
struct Installed {
    /// Where only root may change anything.
    place: TempDir,
    /// Where `nobody` works.
    work: TempDir,
}

impl Installed {
    /// With file capabilities, as `setcap` takes them; `None` (and says why) where
    /// there can be none.
    fn with_capabilities(capabilities: &str) -> Option<Self> {
        let installed = Self::new()?;
        let set = Command::new("setcap")
            .arg(capabilities)
            .arg(installed.eprof())
            .output();
        match set {
            Ok(set) if set.status.success() => Some(installed),
            Ok(set) => {
                let why = String::from_utf8_lossy(&set.stderr).into_owned();
                support::skip(&format!("setcap: {why}"));
                None
            }
            Err(error) => {
                support::skip(&format!("there is no setcap: {error}"));
                None
            }
        }
    }

    /// With the set-user-id bit of root.
    fn with_root() -> Option<Self> {
        let installed = Self::new()?;
        let mode = std::fs::Permissions::from_mode(0o4755);
        std::fs::set_permissions(installed.eprof(), mode).unwrap();
        Some(installed)
    }

    /// A copy that everybody may execute, without rights.
    fn new() -> Option<Self> {
        if !root() {
            return None;
        }
        let eprof = eprof();
        let places = [
            eprof.parent().unwrap(),
            "/var/tmp".as_ref(),
            "/tmp".as_ref(),
        ];
        let installed = places.into_iter().find_map(Self::below);
        if installed.is_none() {
            support::skip("there is no place that nobody reaches and that knows set-user-id");
        }
        installed
    }

    /// The same in a directory below `place`, unless that has no effect there.
    fn below(place: &Path) -> Option<Self> {
        let ignored = nix::sys::statvfs::FsFlags::ST_NOSUID;
        let mounted = nix::sys::statvfs::statvfs(place).ok()?;
        if mounted.flags().contains(ignored) {
            return None;
        }
        let place = tempfile::tempdir_in(place).ok()?;
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(place.path(), open).unwrap();
        let work = tempfile::tempdir().unwrap();
        chown(work.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        let installed = Self { place, work };
        // Not by this process: a child that another test forks meanwhile would keep the
        // file open for writing, and it could not be executed.
        let copied = Command::new("cp")
            .arg(eprof())
            .arg(installed.eprof())
            .status();
        assert!(copied.unwrap().success());
        let mut reached = installed.command(&installed.eprof());
        let reached = reached.arg("--version").output();
        reached
            .is_ok_and(|said| said.status.success())
            .then_some(installed)
    }

    fn eprof(&self) -> PathBuf {
        self.place.path().join("eprof")
    }

    /// A command of `nobody` in its directory.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.work.path())
            .env("HOME", self.work.path())
            .uid(NOBODY)
            .gid(NOBODY);
        command
    }

    fn as_nobody(&self, arguments: &[&str]) -> Output {
        self.command(&self.eprof())
            .args(arguments)
            .output()
            .unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All that was said.
fn said(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}
