//! The text form of a recording: what loads is a recording like any other, and
//! dumped, loaded and dumped again the same text.

#![no_main]

use std::io::Cursor;

use eprof::error::ErrorKind;
use eprof::recording::text::load;
use eprof_fuzz::{limits, recordings, scratch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| limits::bounded(|| check(data)));

fn check(data: &[u8]) {
    let mut recording = Cursor::new(Vec::new());
    if let Err(error) = load(data, "a.jsonl", &mut recording) {
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        let sentence = error.to_string();
        assert!(sentence.starts_with("line "), "{sentence}");
        return;
    }
    let recording = recording.into_inner();
    let text = recordings::text_of(&scratch::file("loaded.data", &recording));
    let text = text.expect("what was loaded can be dumped");
    let mut again = Cursor::new(Vec::new());
    load(text.as_slice(), "b.jsonl", &mut again).unwrap();
    assert!(again.into_inner() == recording);
    recordings::check(&recording);
}
