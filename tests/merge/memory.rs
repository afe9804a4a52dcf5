//! Memory stays flat in the number of recordings.

use std::path::{Path, PathBuf};

use super::large;
use super::support;

/// The peak resident set of a command, in KiB.
fn peak(arguments: &[&str]) -> i64 {
    let (status, said, peak) = support::peak::peak(arguments, Path::new("."));
    assert!(status.success(), "{arguments:?}: {said}");
    peak
}

#[test]
fn sixty_four_recordings_take_little_more_memory_than_two() {
    let directory = tempfile::tempdir().unwrap();
    let one = directory.path().join("one.data");
    large::write(&one, 1, 3_000);
    let merged = |copies: usize| -> (PathBuf, i64) {
        let path = directory.path().join(format!("{copies}.data"));
        let mut arguments = vec!["merge", "-o", path.to_str().unwrap()];
        arguments.extend(std::iter::repeat_n(one.to_str().unwrap(), copies));
        let peak = peak(&arguments);
        (path, peak)
    };
    let report = |path: &Path| peak(&["report", path.to_str().unwrap()]);
    let (two, merging_two) = merged(2);
    let (many, merging_many) = merged(64);
    let (reporting_two, reporting_many) = (report(&two), report(&many));
    let figures = format!(
        "merging: {merging_two} and {merging_many} KiB; reporting: {reporting_two} and \
         {reporting_many} KiB"
    );
    eprintln!("{figures}");
    assert!(merging_many < merging_two + merging_two / 4, "{figures}");
    // Thirty-two times as many stacks are in the sum; their frames are there
    // once.
    assert!(2 * reporting_many < 3 * reporting_two, "{figures}");
}
