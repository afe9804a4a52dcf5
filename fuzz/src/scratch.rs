//! A file for what is read by its path.

use std::path::PathBuf;
use std::sync::LazyLock;

use tempfile::TempDir;

/// `fuzz/run` names a directory in memory by TMPDIR, and removes it.
static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().unwrap());

/// A file that has `bytes`, until the next one of that name.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = DIRECTORY.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
