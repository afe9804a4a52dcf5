//! What the tests of the target share: a cgroup, a run, a reason to skip.

use std::path::{Path, PathBuf};

pub(crate) use crate::skip::skip;
use eprof::launch::{Cgroup, Command, ExitStatus, Follow, Identity, follow, prepare};
use nix::unistd::Uid;

/// Whether we are root; says so where not.
pub(crate) fn root() -> bool {
    let root = Uid::effective().is_root();
    if !root {
        skip("needs root");
    }
    root
}

/// A cgroup for one test; `None`, and a word about it, where none can be made.
pub(crate) fn cgroup() -> Option<Cgroup> {
    match follow() {
        Follow::Cgroup(cgroup) => Some(cgroup),
        Follow::Fork(caveat) => {
            skip(&caveat.sentence);
            None
        }
    }
}

/// The command of a shell script, with the standard `PATH`.
pub(crate) fn sh(script: &str) -> Command {
    Command::new("/bin/sh", ["-c", script])
}

/// A shell script that writes its output to `file`.
pub(crate) fn sh_into(script: &str, file: &Path) -> Command {
    sh(&format!("{{ {script}\n}} > '{}'", file.display()))
}

/// Runs a command to its end.
pub(crate) fn run(command: Command, cgroup: Option<&Cgroup>, identity: &Identity) -> ExitStatus {
    let mut child = prepare(command, cgroup, identity).unwrap().spawn().unwrap();
    child.release().unwrap();
    child.reap().unwrap()
}

/// A directory that everybody may enter and write to.
pub(crate) fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    set_mode(directory.path(), 0o777);
    directory
}

/// Sets the permissions of a file.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Makes an executable file with this text.
pub(crate) fn executable(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    copy_executable(&draft, path);
    std::fs::remove_file(draft).unwrap();
}

/// Copies an executable to where everybody may execute it. By another process:
/// were this one to open it for writing, a child that another test forks at
/// that moment could hold it open and make its execution fail (ETXTBSY).
pub(crate) fn copy_executable(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").args([from, to]).status();
    assert!(copied.unwrap().success());
    set_mode(to, 0o755);
}

/// The contents of a file.
pub(crate) fn read(path: impl Into<PathBuf>) -> String {
    let path = path.into();
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
