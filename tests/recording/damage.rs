//! Damage shortens a recording, says so, and does nothing else.

use eprof::error::ErrorKind;
use eprof::recording::format::PROLOGUE;
use eprof::recording::{IntervalRecord, Record, Recording};

use super::sample::{self, Shared};

/// A recording, the whole of it and where its blocks begin.
fn recorded() -> (Vec<u8>, Recording, Vec<usize>) {
    let out: Shared = sample::write(&sample::records());
    let bytes = out.bytes();
    let recording = load(&bytes).unwrap();
    // The first write is what precedes the blocks.
    (bytes, recording, out.writes().split_off(1))
}

fn load(bytes: &[u8]) -> eprof::error::Result<Recording> {
    Recording::load(bytes, Some(bytes.len() as u64))
}

/// How many intervals are in the blocks before number `block`. (The first
/// three blocks hold one each, the last none.)
fn before(intervals: &[IntervalRecord], block: usize) -> &[IntervalRecord] {
    &intervals[..block.min(intervals.len())]
}

/// Asserts that `bytes`, damaged in block number `block`, give all before it,
/// with a caveat that names `block`'s offset and the `lost` bytes.
fn assert_shortened(bytes: &[u8], block: usize, whole: &Recording, blocks: &[usize]) {
    let lost = bytes.len() - blocks[block];
    let loaded = load(bytes);
    if block == 0 {
        assert_eq!(loaded.unwrap_err().kind(), ErrorKind::Data);
        return;
    }
    let loaded = loaded.unwrap();
    assert_eq!(loaded.catalog.header, whole.catalog.header);
    assert_eq!(loaded.intervals, before(&whole.intervals, block));
    assert_eq!(loaded.catalog.end, None);
    let codes: Vec<&str> = loaded
        .catalog
        .caveats
        .iter()
        .map(|c| c.code.as_str())
        .collect();
    if lost == 0 {
        assert_eq!(codes, ["recording-unfinished"]);
        return;
    }
    assert_eq!(codes, ["recording-damaged", "recording-unfinished"]);
    let sentence = &loaded.catalog.caveats[0].sentence;
    assert!(
        sentence.contains(&format!(" byte {};", blocks[block])),
        "{sentence}"
    );
    let lost = match lost {
        1 => "the last byte is".to_owned(),
        more => format!("the last {more} bytes are"),
    };
    assert!(sentence.contains(&lost), "{sentence}");
}

#[test]
fn a_recording_cut_off_anywhere_keeps_what_precedes_the_cut() {
    let (bytes, whole, blocks) = recorded();
    assert_eq!(blocks.len(), 4);
    for length in 0..bytes.len() {
        let cut = &bytes[..length];
        if length < PROLOGUE as usize {
            assert_eq!(load(cut).unwrap_err().kind(), ErrorKind::Data);
            continue;
        }
        let block = blocks.iter().rposition(|&begin| begin <= length).unwrap();
        assert_shortened(cut, block, &whole, &blocks);
    }
    assert_eq!(whole.catalog.caveats, []);
}

#[test]
fn any_flipped_bit_is_noticed_and_costs_only_what_follows() {
    let (bytes, whole, blocks) = recorded();
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[index] ^= 1 << bit;
            if index < PROLOGUE as usize {
                assert_eq!(load(&flipped).unwrap_err().kind(), ErrorKind::Data);
                continue;
            }
            let block = blocks.iter().rposition(|&begin| begin <= index).unwrap();
            let loaded = load(&flipped);
            // A flipped length may reach beyond the end: cut off, then.
            if block == 0 {
                assert_eq!(loaded.unwrap_err().kind(), ErrorKind::Data);
                continue;
            }
            let loaded = loaded.unwrap();
            assert_eq!(loaded.intervals, before(&whole.intervals, block));
            let sentence = &loaded.catalog.caveats[0].sentence;
            assert!(
                sentence.contains(&format!(" byte {};", blocks[block])),
                "{sentence}"
            );
        }
    }
}

#[test]
fn nothing_follows_a_lost_block() {
    let (bytes, whole, blocks) = recorded();
    // Without the third block, the fourth would be sound by itself.
    let without = [&bytes[..blocks[2]], &bytes[blocks[2] + 1..]].concat();
    assert_shortened(&without, 2, &whole, &blocks);
}

#[test]
fn bytes_after_the_end_are_ignored_with_a_word() {
    let (bytes, whole, _) = recorded();
    let length = bytes.len();
    let loaded = load(&[bytes.clone(), bytes].concat()).unwrap();
    assert_eq!(loaded.intervals, whole.intervals);
    assert_eq!(loaded.catalog.end, whole.catalog.end);
    let [caveat] = loaded.catalog.caveats.as_slice() else {
        panic!("{:?}", loaded.catalog.caveats);
    };
    assert_eq!(caveat.code, "recording-trailer");
    assert!(
        caveat.sentence.ends_with(&format!(": {length} bytes")),
        "{}",
        caveat.sentence
    );
}

#[test]
fn a_recording_of_unknown_length_says_that_the_rest_is_lost() {
    let (bytes, ..) = recorded();
    let cut = &bytes[..bytes.len() - 1];
    let loaded = Recording::load(cut, None).unwrap();
    assert!(loaded.catalog.caveats[0].sentence.contains("the rest"));
}

#[test]
fn a_file_that_cannot_be_read_any_further_keeps_what_was_read() {
    use std::io::{Error, Read};
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(Error::from_raw_os_error(5))
        }
    }
    let (bytes, whole, blocks) = recorded();
    for at in [blocks[2], blocks[2] + 3, blocks[2] + 40] {
        let loaded = Recording::load((&bytes[..at]).chain(Fails), None).unwrap();
        assert_eq!(loaded.intervals, before(&whole.intervals, 2));
        let sentence = &loaded.catalog.caveats[0].sentence;
        assert!(
            sentence.contains(&format!("from byte {} on", blocks[2])),
            "{sentence}"
        );
    }
}

#[test]
fn a_writer_that_dies_loses_at_most_the_open_interval() {
    let records = sample::records();
    let out = Shared::default();
    let mut writer = eprof::recording::Writer::new(out.clone()).unwrap();
    let mut closed = Vec::new();
    for record in &records {
        writer.push(record).unwrap();
        if let Record::Interval(interval) = record {
            writer.flush().unwrap();
            closed.push(interval.clone());
        }
        // What a reader would find, had the writer died here.
        if !closed.is_empty() {
            assert_eq!(load(&out.bytes()).unwrap().intervals, closed);
        }
    }
    assert_eq!(closed.len(), 3);
}
