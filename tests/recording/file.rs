//! A recording in a file: intervals are read again, and files that are none
//! are refused in one sentence.

use std::path::{Path, PathBuf};

use eprof::error::{Error, ErrorKind};
use eprof::recording::format::VERSION;
use eprof::recording::{IntervalRecord, Record, Recording, RecordingFile, Samples};

use super::sample;

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eprof.data");
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

fn refused(path: &Path) -> Error {
    let error = RecordingFile::open(path).unwrap_err();
    let sentence = error.to_string();
    assert!(sentence.contains(&*path.to_string_lossy()), "{sentence}");
    error
}

#[test]
fn intervals_can_be_read_as_often_as_wanted() {
    let bytes = sample::write(&sample::records()).bytes();
    let (_directory, path) = file(&bytes);
    let whole = Recording::load(bytes.as_slice(), None).unwrap();
    let file = RecordingFile::open(&path).unwrap();
    assert_eq!(file.catalog, whole.catalog);
    for _ in 0..2 {
        let again: Vec<IntervalRecord> = file
            .intervals(Samples::Read)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(again, whole.intervals);
    }
    // Two at a time do not disturb each other.
    let pairs = file
        .intervals(Samples::Read)
        .unwrap()
        .zip(file.intervals(Samples::Read).unwrap());
    assert_eq!(
        pairs
            .filter(|(a, b)| a.as_ref().unwrap() == b.as_ref().unwrap())
            .count(),
        3
    );
}

#[test]
fn a_recording_that_still_grows_is_read_as_it_was_when_opened() {
    let records = sample::records();
    let bytes = sample::write(&records).bytes();
    let (first, _) = records.split_at(13);
    let begun = sample::write(first).bytes();
    assert!(bytes.starts_with(&begun), "a recording only grows");
    let (_directory, path) = file(&begun);
    let file = RecordingFile::open(&path).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(
        file.intervals(Samples::Read)
            .unwrap()
            .map(Result::unwrap)
            .count(),
        2
    );
}

#[test]
fn a_file_that_changes_is_an_error() {
    let bytes = sample::write(&sample::records()).bytes();
    let mut other = sample::records();
    if let Some(Record::Header(header)) = other.first_mut() {
        header.host = "elsewhere".into();
    }
    let mut corrupt = bytes.clone();
    *corrupt.last_mut().unwrap() ^= 1;
    for changed in [
        sample::write(&other).bytes(),
        corrupt,
        bytes[..bytes.len() - 1].to_vec(),
        Vec::new(),
    ] {
        let (_directory, path) = file(&bytes);
        let file = RecordingFile::open(&path).unwrap();
        std::fs::write(&path, &changed).unwrap();
        let error = match file.intervals(Samples::Read) {
            Ok(intervals) => intervals
                .map(|interval| interval.map(drop))
                .find_map(Result::err),
            Err(error) => Some(error),
        };
        assert_eq!(error.unwrap().kind(), ErrorKind::Data);
    }
}

#[test]
fn what_is_no_recording_is_refused() {
    let magic = b"EPROF\0\r\n";
    for bytes in [
        b"".as_slice(),
        b"E",
        b"\x7fELF\x02\x01\x01",
        b"# perf.data PERFILE2",
        b"EPROF\0\n\0\x01\0\0\0", // line ends changed by a transfer
    ] {
        let (_directory, path) = file(bytes);
        let error = refused(&path);
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains("not a recording"), "{error}");
    }
    for cut in 8..12 {
        let (_directory, path) = file(&[magic.as_slice(), &[1, 0, 0, 0]].concat()[..cut]);
        assert!(refused(&path).to_string().contains("cut off"));
    }
}

#[test]
fn another_version_is_refused_by_its_number() {
    for version in [0_u32, 1, 2, VERSION - 1, VERSION + 1, 77, u32::MAX] {
        let bytes = [
            b"EPROF\0\r\n".as_slice(),
            &version.to_le_bytes(),
            b"what is this",
        ]
        .concat();
        let (_directory, path) = file(&bytes);
        let error = refused(&path);
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(
            error.to_string().contains(&format!("format {version},")),
            "{error}"
        );
        assert!(error.given_hint().is_some());
    }
}

#[test]
fn a_path_that_is_no_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(refused(directory.path()).kind(), ErrorKind::Input);
    assert_eq!(
        refused(&directory.path().join("none")).kind(),
        ErrorKind::Input
    );
    assert_eq!(refused(Path::new("/dev/zero")).kind(), ErrorKind::Input);
}
