//! What must hold for any recording, and how to forge one that has right checksums.

use std::io::{Cursor, sink};
use std::path::Path;

use eprof::attribute::{Account, Energy};
use eprof::error::ErrorKind;
use eprof::output::{By, Format, Style, View, report};
use eprof::pipeline::Analysis;
use eprof::profile::Profile;
use eprof::recording::file::Samples;
use eprof::recording::format::{BlockHead, MAGIC, Part, VERSION, checksum};
use eprof::recording::text::{Stopped, dump, load};
use eprof::recording::{Reader, Record, Recording, RecordingFile, Writer};

use crate::scratch;
use crate::take;

/// A recording of blocks with right checksums. Each has, in `data`, its lengths (of
/// the records and the samples, two bytes each) and these, plain.
pub fn forge(mut data: &[u8]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    file.extend(VERSION.to_le_bytes());
    let mut before = 0;
    while !data.is_empty() {
        let lengths = [take(&mut data), take(&mut data)].map(u16::from_le_bytes);
        let [records, samples] = lengths.map(|length| {
            let (part, rest) = data.split_at(data.len().min(length.into()));
            data = rest;
            part
        });
        let pack = |plain: &[u8]| match plain {
            [] => Vec::new(),
            _ => zstd::bulk::compress(plain, 1).unwrap(),
        };
        let (packed, packed_samples) = (pack(records), pack(samples));
        let parts = [packed.as_slice(), &packed_samples].concat();
        let head = BlockHead::encode(
            before,
            Part::new(&packed, records),
            Part::new(&packed_samples, samples),
            &parts,
        );
        before = BlockHead::decode(&head).crc;
        file.extend(head);
        file.extend(parts);
    }
    file
}

/// Several recordings in one file, with right checksums of their labels. Each has,
/// in `data`, its lengths (of the labels and of what [`forge`] takes), and these.
pub fn forge_merged(mut data: &[u8]) -> Vec<u8> {
    let [promised] = take(&mut data);
    let mut file = b"EPROF\x03\r\n".to_vec();
    file.extend(1_u32.to_le_bytes());
    file.extend(u32::from(promised).to_le_bytes());
    while !data.is_empty() {
        let lengths = [take(&mut data), take(&mut data)].map(u16::from_le_bytes);
        let [labels, member] = lengths.map(|length| {
            let (part, rest) = data.split_at(data.len().min(length.into()));
            data = rest;
            part
        });
        let member = forge(member);
        let mut head = [0; 16];
        head[..4].copy_from_slice(&(labels.len() as u32).to_le_bytes());
        head[4..12].copy_from_slice(&(member.len() as u64).to_le_bytes());
        let crc = checksum(0, &head, labels);
        head[12..].copy_from_slice(&crc.to_le_bytes());
        file.extend(head);
        file.extend(labels);
        file.extend(member);
    }
    file
}

/// Asserts what must hold for any bytes that are taken for a recording.
pub fn check(bytes: &[u8]) {
    let path = scratch::file("eprof.data", bytes);
    let opened = RecordingFile::open(&path);
    match Recording::load(bytes, Some(bytes.len() as u64)) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Data, "{error}");
            assert_one_sentence(&error.to_string());
        }
        Ok(loaded) => {
            let opened = opened.expect("what can be read can be opened");
            assert_eq!(opened.catalog, loaded.catalog);
            let intervals = opened.intervals(Samples::Read).unwrap();
            let intervals: Vec<_> = intervals.map(Result::unwrap).collect();
            assert_eq!(intervals, loaded.intervals);
            check_written_again(bytes);
            for caveat in &loaded.catalog.caveats {
                assert_one_sentence(&caveat.sentence);
            }
        }
    }
    check_text(&path);
    match Analysis::new(&path).profile() {
        Ok(profile) => check_profile(&profile),
        // Whatever was recorded, the ledger balances.
        Err(error) => assert_ne!(error.kind(), ErrorKind::Internal, "{error}"),
    }
}

/// Whatever is read keeps the rules, and is read the same once it is written again.
fn check_written_again(bytes: &[u8]) {
    let read = |bytes: &[u8]| -> Vec<Record> {
        let reader = Reader::new(bytes, None).unwrap();
        reader.map(Result::unwrap).collect()
    };
    let records = read(bytes);
    let mut writer = Writer::new(Vec::new()).unwrap();
    for record in &records {
        writer.push(record).unwrap();
    }
    if let Some(Record::End(_)) = records.last() {
        assert_eq!(read(&writer.finish().unwrap()), records);
    }
}

/// What is dumped is loaded, and dumped again it is the same text.
fn check_text(path: &Path) {
    let Some(text) = text_of(path) else { return };
    let mut back = Cursor::new(Vec::new());
    let loaded = load(text.as_slice(), "text", &mut back);
    // A recording without anything cannot be told by text.
    let Ok(_) = loaded else {
        let why = loaded.unwrap_err().to_string();
        assert!(why.contains("no header"), "{why}");
        return;
    };
    let again = text_of(&scratch::file("again.data", &back.into_inner()));
    assert!(again.expect("what was loaded can be dumped") == text);
}

/// The recording at `path` as text; `None` where it cannot be read to its end.
pub fn text_of(path: &Path) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    match dump(path, &mut text) {
        Ok(_) => Some(text),
        Err(Stopped::Output(error)) => panic!("{error}"),
        Err(Stopped::Recording(error)) => {
            assert_eq!(error.kind(), ErrorKind::Data, "{error}");
            None
        }
    }
}

/// A sentence that is shown: no control characters of whoever made the file.
fn assert_one_sentence(sentence: &str) {
    assert!(!sentence.is_empty());
    assert!(!sentence.contains(char::is_control), "{sentence:?}");
}

/// Both prices, in a type that cannot overflow.
fn sum(prices: impl IntoIterator<Item = Energy>) -> (u128, u128) {
    prices.into_iter().fold((0, 0), |sum, energy| {
        (
            sum.0 + u128::from(energy.with_idle.0),
            sum.1 + u128::from(energy.above_idle.0),
        )
    })
}

/// Every sum of a profile is the ledger's, and every format can show it.
fn check_profile(profile: &Profile) {
    for meter in &profile.ledger.meters {
        let total = u128::from(meter.total.0);
        assert_eq!(sum(meter.accounts.values().copied()), (total, total));
        for width in meter.widths.values() {
            for part in [width.timing, width.sampling, width.baseline, width.weights] {
                assert!(part.is_finite() && part >= 0.0, "{width:?}");
            }
        }
    }
    let disjoint = profile.ledger.meters.iter().filter(|meter| !meter.nested);
    let target = sum(disjoint.map(|meter| meter.accounts[&Account::Target]));
    assert_eq!(sum(profile.processes.iter().map(|row| row.energy)), target);
    assert_eq!(sum(profile.threads.iter().map(|row| row.energy)), target);
    assert_eq!(sum(profile.functions.iter().map(|row| row.own)), target);
    assert_eq!(sum(profile.modules.iter().map(|row| row.own)), target);
    assert_eq!(sum(profile.cpus.iter().map(|row| row.energy)), target);
    assert_eq!(sum(profile.stacks.iter().map(|row| row.energy)), target);
    let by = |by| View {
        by,
        ..View::default()
    };
    for (by, format) in [
        (by(None), Format::Table),
        (by(None), Format::Json),
        (by(Some(By::Function)), Format::Csv),
    ] {
        report(profile, &by, format, Style::PLAIN, sink()).unwrap();
    }
}
