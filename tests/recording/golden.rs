//! Recordings of each version of the format, committed: whatever changes, they
//! must still be readable. `EPROF_BLESS=1 cargo test --test recording` writes
//! it anew; do that only together with a new `format::VERSION`.

use std::path::Path;

use eprof::recording::format::VERSION;
use eprof::recording::{Reader, Record, RecordingFile};

use super::sample;

#[test]
fn the_committed_recording_is_still_read() {
    let records = sample::records();
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../tests/golden/recording-{VERSION}.data"));
    if std::env::var_os("EPROF_BLESS").is_some() {
        std::fs::write(&path, sample::write(&sample::records()).bytes()).unwrap();
    }
    let bytes = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; see the top of this file", path.display()));

    let reader = Reader::new(bytes.as_slice(), Some(bytes.len() as u64)).unwrap();
    let read: Vec<Record> = reader.map(Result::unwrap).collect();
    assert_eq!(read, records);
    assert_eq!(super::stranger::read(&bytes), records);
    let file = RecordingFile::open(&path).unwrap();
    assert_eq!(file.catalog.caveats, []);
    assert_eq!(file.catalog.end, Some(sample::end()));
}

#[test]
fn recordings_of_older_versions_are_still_read() {
    for (version, expected) in [
        (2, sample::records_of_version_2()),
        (3, sample::records_of_version_3()),
        // Version 5 only put samples elsewhere.
        (4, sample::records()),
    ] {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../tests/golden/recording-{version}.data"));
        let bytes = std::fs::read(golden).unwrap();
        let reader = Reader::new(bytes.as_slice(), Some(bytes.len() as u64)).unwrap();
        let read: Vec<Record> = reader.map(Result::unwrap).collect();
        assert_eq!(read, expected, "version {version}");
        assert_eq!(super::stranger::read(&bytes), read);
    }
}
