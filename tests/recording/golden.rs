//! A recording of this version of the format, committed: whatever changes, it
//! must still be readable. `EPROF_BLESS=1 cargo test --test pure -- recording`
//! writes it anew; do that only together with a new `format::VERSION`.

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
