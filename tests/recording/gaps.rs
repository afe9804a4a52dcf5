//! Whatever is cut out of a recording is missed: blocks by their checksums, intervals
//! by what the others and the end say.

use std::io::Cursor;

use eprof::caveat::Caveat;
use eprof::recording::text::{dump, load};
use eprof::recording::{End, Extent, Reader, Record, Recording};
use eprof::unit::Timestamp;

use super::hostile::{file, forge};
use super::sample::{self, START};

fn loaded(bytes: &[u8]) -> Recording {
    Recording::load(bytes, Some(bytes.len() as u64)).unwrap()
}

fn gap(caveats: &[Caveat]) -> Option<&str> {
    let mut gaps = caveats.iter().filter(|of| of.code == "recording-gap");
    let sentence = gaps.next().map(|of| of.sentence.as_str());
    assert!(gaps.next().is_none(), "said once: {caveats:?}");
    sentence
}

/// The records without the intervals with these numbers, and without what follows
/// position `end` of them.
fn without(cut: &[usize], ended: bool) -> Vec<Record> {
    let mut number = 0;
    let mut records = sample::records();
    if !ended {
        records.pop();
    }
    records.retain(|record| {
        let interval = matches!(record, Record::Interval(_));
        number += usize::from(interval);
        !(interval && cut.contains(&(number - 1)))
    });
    records
}

#[test]
fn nothing_is_missed_in_a_whole_recording() {
    for ended in [true, false] {
        let recording = loaded(&forge(&without(&[], ended)));
        assert_eq!(gap(&recording.catalog.caveats), None);
    }
}

#[test]
fn intervals_that_are_cut_out_are_missed_wherever_they_were() {
    for (cut, words) in [
        (
            vec![0],
            "an interval is missing from the recording (at the beginning):",
        ),
        (
            vec![1],
            "an interval is missing from the recording (in the middle, once; 0.10 s in all)",
        ),
        (
            vec![2],
            "an interval is missing from the recording (at the end; 0.10 s in all)",
        ),
        (
            vec![0, 1],
            "2 intervals are missing from the recording (at the beginning; 0.10 s in all)",
        ),
        (
            vec![1, 2],
            "2 intervals are missing from the recording (at the end; 0.20 s in all)",
        ),
        (
            vec![0, 2],
            "2 intervals are missing from the recording (at the beginning; at the end; 0.10 s",
        ),
        (
            vec![0, 1, 2],
            "3 intervals are missing from the recording (at the beginning; 0.20 s in all)",
        ),
    ] {
        let recording = loaded(&forge(&without(&cut, true)));
        let said = gap(&recording.catalog.caveats).unwrap_or_default();
        assert!(said.starts_with(words), "{cut:?}: {said}");
    }
}

/// Without an end, nobody knows how it went on; but how it began.
#[test]
fn the_beginning_is_missed_without_an_end_too() {
    for (cut, word) in [
        (0, Some("the beginning")),
        (1, Some("the middle")),
        (2, None),
    ] {
        let recording = loaded(&forge(&without(&[cut], false)));
        let caveats = &recording.catalog.caveats;
        let said = gap(caveats);
        assert_eq!(said.is_some(), word.is_some(), "{cut}: {said:?}");
        assert!(said.unwrap_or_default().contains(word.unwrap_or_default()));
        assert!(caveats.iter().any(|of| of.code == "recording-unfinished"));
    }
}

/// The text of a recording without the interval with this number, and its parts.
fn text_without(cut: usize) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eprof.data");
    std::fs::write(&path, sample::write(&sample::records()).bytes()).unwrap();
    let mut text = Vec::new();
    assert!(dump(&path, &mut text).is_ok());
    let text = String::from_utf8(text).unwrap();
    let (mut number, mut within) = (0, false);
    let kept = text.lines().filter(|line| {
        let part = ["{\"cpu\":", "{\"thread\":", "{\"sample\":"];
        if line.starts_with("{\"interval\":") {
            within = number == cut;
            number += 1;
        } else if !part.iter().any(|part| line.starts_with(part)) {
            within = false;
        }
        !within
    });
    kept.map(|line| format!("{line}\n")).collect()
}

#[test]
fn lines_that_are_cut_out_of_a_text_are_missed() {
    for cut in 0..3 {
        let text = text_without(cut);
        let mut back = Cursor::new(Vec::new());
        let caveats = load(text.as_bytes(), "text", &mut back).unwrap();
        let said = gap(&caveats).expect("loading says it").to_owned();
        // The recording that was made of it goes on saying so.
        let recording = loaded(&back.into_inner());
        assert_eq!(gap(&recording.catalog.caveats), Some(said.as_str()));
    }
    let mut back = Cursor::new(Vec::new());
    let caveats = load(text_without(3).as_bytes(), "text", &mut back).unwrap();
    assert_eq!(caveats, []);
}

/// The blocks of a recording, one with each interval and one with the end.
fn blocks() -> (Vec<u8>, Vec<Vec<u8>>) {
    let out = sample::write(&sample::records());
    let (bytes, begins) = (out.bytes(), out.writes());
    let ends = begins.iter().skip(1).copied().chain([bytes.len()]);
    let pieces = begins
        .iter()
        .zip(ends)
        .map(|(begin, end)| bytes[*begin..end].to_vec());
    let mut pieces: Vec<_> = pieces.collect();
    let prologue = pieces.remove(0);
    (prologue, pieces)
}

#[test]
fn blocks_that_are_cut_out_repeated_or_exchanged_end_the_recording() {
    let (prologue, blocks) = blocks();
    let check = |order: &[usize], sound: usize| {
        let pieces = order.iter().map(|block| blocks[*block].clone());
        let bytes = [prologue.clone(), pieces.collect::<Vec<_>>().concat()].concat();
        let recording = loaded(&bytes);
        assert_eq!(recording.intervals.len(), sound.min(3), "{order:?}");
        let codes = recording.catalog.caveats.iter().map(|of| of.code.as_str());
        let codes: Vec<_> = codes.collect();
        assert_eq!(
            codes,
            ["recording-damaged", "recording-unfinished"],
            "{order:?}"
        );
    };
    check(&[0, 2, 3], 1);
    check(&[0, 1, 3], 2);
    check(&[0, 3], 1);
    check(&[0, 1, 1, 2, 3], 2);
    check(&[0, 2, 1, 3], 1);
    // Those of another recording do not fit.
    let mut other = sample::records();
    if let Record::Header(header) = &mut other[0] {
        header.host.push('2');
    }
    let others = sample::write(&other).bytes();
    let cut = sample::write(&other).writes()[2];
    let bytes = [&prologue[..], &blocks[0], &others[cut..]].concat();
    assert_eq!(loaded(&bytes).intervals.len(), 1);
    // The first one cannot be missing.
    let bytes = [&prologue[..], &blocks[1..].concat()].concat();
    assert!(Recording::load(bytes.as_slice(), None).is_err());
    // And what forges these tests' recordings would have hidden it.
    let forged = file(&[]);
    assert_eq!(forged, prologue);
}

#[test]
fn an_end_knows_all_intervals() {
    let bad = |spoil: &dyn Fn(&mut Extent), word: &str| {
        let mut records = without(&[], false);
        let mut end: End = sample::end();
        spoil(&mut end.extent);
        records.push(Record::End(Box::new(end)));
        let bytes = forge(&records);
        let mut reader = Reader::new(bytes.as_slice(), None).unwrap();
        let error = reader.find_map(Result::err).unwrap().to_string();
        assert!(error.contains(word), "{error}");
    };
    bad(&|of| of.intervals = 2, "does not know");
    bad(&|of| of.begin = Timestamp(START + 1), "does not know");
    bad(
        &|of| of.end = Timestamp(START + 199_999_999),
        "does not know",
    );
    bad(
        &|of| of.begin = of.end + eprof::unit::Nanos(1),
        "end before they begin",
    );
    bad(&|of| of.end = Timestamp(u64::MAX), "a time of");
}
