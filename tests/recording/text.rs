//! The text form: nothing is lost on the way there and back, what is loaded
//! keeps the rules, and no text makes the loader take more memory than it is
//! worth. `EPROF_BLESS=1 cargo test --test pure -- recording` writes the golden
//! text anew; do that only together with a new schema.

use std::collections::BTreeMap;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use eprof::error::{Error, ErrorKind};
use eprof::measurement::Quantity;
use eprof::recording::text::{Stopped, dump, load};
use eprof::recording::{IntervalRecord, MergedWriter, Reader, Record};
use eprof::unit::{Timestamp, Watts};
use proptest::prelude::*;

use super::hostile::{Rng, largest, mutate};
use super::{arbitrary, sample};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden")
        .join(name)
}

/// The text of the recording in a file, and the codes of its caveats.
fn text_of(path: &Path) -> (String, Vec<String>) {
    let mut text = Vec::new();
    let caveats = match dump(path, &mut text) {
        Ok(caveats) => caveats,
        Err(Stopped::Recording(error)) => panic!("{error}"),
        Err(Stopped::Output(error)) => panic!("{error}"),
    };
    let codes = caveats.into_iter().map(|caveat| caveat.code).collect();
    (String::from_utf8(text).unwrap(), codes)
}

/// The text of a recording.
fn text(recording: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eprof.data");
    std::fs::write(&path, recording).unwrap();
    text_of(&path).0
}

/// The recording of a text.
fn loaded(text: &[u8]) -> Result<Vec<u8>, Error> {
    let mut recording = Cursor::new(Vec::new());
    load(text, "a.jsonl", &mut recording)?;
    Ok(recording.into_inner())
}

fn records(recording: &[u8]) -> Vec<Record> {
    let mut reader = Reader::new(recording, Some(recording.len() as u64)).unwrap();
    let records = reader.by_ref().map(Result::unwrap).collect();
    let damage = |code: &str| code == "recording-damaged" || code == "recording-trailer";
    assert!(!reader.caveats().iter().any(|caveat| damage(&caveat.code)));
    records
}

/// Asserts that nothing is lost on the way to text and back, and on that way
/// once more.
fn assert_lossless(recording: &[u8]) {
    let first = text(recording);
    let back = loaded(first.as_bytes()).unwrap();
    assert!(records(&back) == records(recording));
    assert!(text(&back) == first);
}

proptest! {
    #[test]
    fn nothing_is_lost(records in arbitrary::records()) {
        assert_lossless(&sample::write(&records).bytes());
    }

    #[test]
    fn every_bit_of_a_number_survives(
        power in power(), deviation in power(), weight in power(), plausible in power(), raw: u64,
    ) {
        let mut header = sample::header();
        header.baselines[0].power = Watts(power);
        header.baselines[0].sd = Watts(deviation);
        header.models[0].terms[0].weight = weight;
        header.models[0].covariance[1] = -weight;
        header.meters[1].plausible = Watts(plausible + 1.0);
        header.wall_clock_ns = raw;
        let mut interval = sample::interval(sample::START, sample::START);
        interval.readings[1].raw = raw;
        let records = [Record::Header(Box::new(header)), Record::Interval(interval)];
        let bytes = sample::write(&records).bytes();
        let back = loaded(text(&bytes).as_bytes()).unwrap();
        // Byte by byte: that zeros have signs, too, `==` does not see.
        prop_assert_eq!(back, bytes);
    }
}

/// Any finite number that is not below zero.
fn power() -> impl Strategy<Value = f64> {
    let bits = any::<u64>().prop_map(|bits| f64::from_bits(bits & (u64::MAX >> 1)));
    bits.prop_filter("finite", |number| number.is_finite())
}

#[test]
fn recordings_of_real_runs_are_not_changed() {
    let directory = std::fs::read_dir(golden("lab")).unwrap();
    let paths = directory.map(|entry| entry.unwrap().path());
    let recordings: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|of| of == "data"))
        .collect();
    assert!(recordings.len() >= 6, "{recordings:?}");
    for path in recordings {
        let recording = std::fs::read(&path).unwrap();
        assert_lossless(&recording);
        let back = loaded(text(&recording).as_bytes()).unwrap();
        // And a stranger says so.
        assert!(super::stranger::read(&back) == super::stranger::read(&recording));
    }
}

#[test]
fn the_committed_text_is_what_is_written_and_read() {
    let path = golden("recording-2.jsonl");
    let text = text(&sample::write(&sample::records()).bytes());
    if std::env::var_os("EPROF_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; see the top of this file", path.display()));
    assert_eq!(text, committed);
    assert_eq!(
        records(&loaded(committed.as_bytes()).unwrap()),
        sample::records()
    );
}

#[test]
fn lines_say_what_the_records_do() {
    let text = text(&sample::write(&sample::records()).bytes());
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let all = |key: &str| {
        lines
            .iter()
            .filter_map(|line| line.get(key))
            .collect::<Vec<_>>()
    };
    assert_eq!(lines[0], serde_json::json!({"schema": "eprof-recording/2"}));
    let header = all("header")[0];
    assert_eq!(header["command"]["argv"][3], "größe");
    assert_eq!(header["meters"][0]["plausible"], serde_json::Value::Null);
    assert_eq!(header["meters"][1]["plausible"], 500.0);
    assert_eq!(header["meters"][2]["scope"]["core"]["core"], 7);
    assert_eq!(header["meters"][3]["scope"], "machine");
    assert_eq!(
        header["meters"][1]["quantity"]["counter"]["modulus"],
        262_143_328_850_u64
    );
    assert_eq!(all("object")[0]["build_id"], "ab".repeat(20));
    assert_eq!(
        all("frame")[2]["kernel"]["address"],
        0xffff_ffff_8123_4567_u64
    );
    assert_eq!(all("frame")[4]["broken"], "complete");
    assert_eq!(all("end")[0]["losses"]["user-stack-failed"], u64::MAX);
    let count = |of: fn(&IntervalRecord) -> usize| -> usize {
        let records = sample::records();
        let intervals = records.iter().filter_map(|record| match record {
            Record::Interval(interval) => Some(of(interval)),
            _ => None,
        });
        intervals.sum()
    };
    assert_eq!(all("cpu").len(), count(|of| of.cpus.len()));
    assert_eq!(all("thread").len(), count(|of| of.threads.len()));
    assert_eq!(all("sample").len(), count(|of| of.samples.len()));
}

#[test]
fn names_cannot_steer_a_terminal() {
    let mut task = sample::task(0, None);
    task.comm = "\u{1b}[31m\u{7f}\u{9b}2J\u{202e}\u{2028}\u{feff}ö🦀".into();
    let records = [
        Record::Header(Box::new(sample::header())),
        Record::Task(task),
    ];
    let recording = sample::write(&records).bytes();
    let text = text(&recording);
    assert!(text.contains("ö🦀"), "{text}");
    let hostile = |c: char| {
        c != '\n' && (c.is_control() || ['\u{202e}', '\u{2028}', '\u{feff}'].contains(&c))
    };
    assert!(!text.contains(hostile), "{text:?}");
    assert_lossless(&recording);
}

/// Recordings in one file, with labels.
fn merge(recordings: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = MergedWriter::new(Vec::new(), recordings.len() as u32).unwrap();
    for (rank, recording) in recordings.iter().enumerate() {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, recording).unwrap();
        let labels = BTreeMap::from([("rank".to_owned(), rank.to_string())]);
        let part = (0, recording.len() as u64);
        writer.push(&labels, &file, part).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn merged_recordings_stay_apart() {
    let one = sample::write(&sample::records()).bytes();
    let other = sample::write(&sample::records()[..2]).bytes();
    for recordings in [vec![], vec![one.clone()], vec![one, other]] {
        let merged = merge(&recordings);
        let text = text(&merged);
        assert!(
            text.starts_with("{\"schema\":\"eprof-merged/2\"}\n"),
            "{text}"
        );
        // Each was written as the sample is, so that nothing differs at all.
        assert!(loaded(text.as_bytes()).unwrap() == merged);
    }
}

#[test]
fn a_damaged_recording_gives_what_precedes_the_damage() {
    let whole = sample::write(&sample::records()).bytes();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eprof.data");
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let (text, caveats) = text_of(&path);
    assert_eq!(caveats, ["recording-damaged", "recording-unfinished"]);
    let mut back = Cursor::new(Vec::new());
    let caveats = load(text.as_bytes(), "a.jsonl", &mut back).unwrap();
    assert_eq!(caveats[0].code, "recording-unfinished");
    let back = records(&back.into_inner());
    assert!(!back.is_empty() && sample::records().starts_with(&back));

    std::fs::write(&path, &whole[..40]).unwrap();
    let Err(Stopped::Recording(error)) = dump(&path, &mut Vec::new()) else {
        panic!("there is not even a header");
    };
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("nothing can be read"), "{error}");
}

/// The sample as lines.
fn lines() -> Vec<String> {
    let text = text(&sample::write(&sample::records()).bytes());
    text.lines().map(str::to_owned).collect()
}

/// Asserts that the sample, with the first line that begins with `from` edited,
/// is refused with a sentence that names the line and has `word` in it.
fn refuses(from: &str, edit: impl FnOnce(&mut Vec<String>, usize), word: &str) {
    let mut lines = lines();
    let at = lines
        .iter()
        .position(|line| line.starts_with(from))
        .unwrap();
    edit(&mut lines, at);
    let error = loaded((lines.join("\n") + "\n").as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    let sentence = error.to_string();
    let place = format!("line {} of a.jsonl ", at + 1);
    assert!(sentence.starts_with(&place), "{sentence}, not {place}");
    assert!(sentence.contains(word), "{sentence}, not {word}");
}

/// The same where `old` in the line becomes `new`.
fn refuses_edit(from: &str, old: &str, new: &str, word: &str) {
    let edit = |lines: &mut Vec<String>, at: usize| {
        assert!(lines[at].contains(old), "{}", lines[at]);
        lines[at] = lines[at].replacen(old, new, 1);
    };
    refuses(from, edit, word);
}

#[test]
fn a_line_that_is_no_record_is_refused() {
    refuses_edit(
        "{\"task\"",
        "\"tid\":",
        "\"colour\":7,\"tid\":",
        "the key \"colour\", which is unknown",
    );
    refuses_edit(
        "{\"cpu\"",
        "\"on_cpu\":",
        "\"dreams\":7,\"on_cpu\":",
        "\"kernel.dreams\"",
    );
    refuses_edit(
        "{\"cpu\"",
        "\"cycles\":",
        "\"dreams\":7,\"cycles\":",
        "there is no event “dreams”",
    );
    refuses_edit(
        "{\"task\"",
        "{\"task\"",
        "{\"tusk\"",
        "unknown variant `tusk`",
    );
    refuses_edit("{\"task\"", "\"tid\":", "\"tad\":", "missing field `tid`");
    refuses_edit(
        "{\"task\"",
        "\"tid\":4000",
        "\"tid\":4000.5",
        "floating point `4000.5`",
    );
    refuses_edit(
        "{\"task\"",
        "\"tid\":4000",
        "\"tid\":4294967296",
        "4294967296",
    );
    refuses_edit("{\"task\"", "\"tid\":4000", "\"tid\":-1", "-1");
    refuses_edit(
        "{\"task\"",
        "\"tid\":",
        "\"tid\":1,\"tid\":",
        "duplicate field `tid`",
    );
    refuses_edit("{\"task\"", "}}", "}} {}", "trailing characters");
    refuses_edit("{\"task\"", "}}", "}", "EOF");
    refuses_edit("{\"task\"", "{\"task\"", "[\"task\"", "column");
    refuses_edit("{\"object\"", "\"abab", "\"aba", "hexadecimal");
    refuses_edit("{\"object\"", "\"abab", "\"abxy", "hexadecimal");
    refuses_edit(
        "{\"frame\"",
        "\"user\"",
        "\"foreign\"",
        "unknown variant `foreign`",
    );
    refuses_edit(
        "{\"header\"",
        "\"unit_uj\":",
        "\"unit_uj\":1e999,\"x\":",
        "out of range",
    );
    refuses(
        "{\"task\"",
        |lines, at| lines[at] = "7".into(),
        "is no record",
    );
    refuses(
        "{\"task\"",
        |lines, at| lines[at] = "[".repeat(100_000),
        "is no record",
    );
    let deep = |lines: &mut Vec<String>, at: usize| {
        let value = format!("{{\"task\":{{\"x\":{}", "[".repeat(100_000));
        lines[at] = value;
    };
    refuses("{\"task\"", deep, "is no record");
    let mut bytes = lines().join("\n").into_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'a').unwrap();
    bytes[at] = 0xff;
    assert!(loaded(&bytes).unwrap_err().to_string().contains("unicode"));
}

#[test]
fn a_line_that_breaks_a_rule_is_refused() {
    for (part, what) in [("thread", "events"), ("sample", "counts")] {
        refuses_edit(
            &format!("{{\"{part}\""),
            &format!("\"{what}\":{{"),
            &format!("\"{what}\":{{\"instructions\":7,"),
            "counts instructions, which its header does not list",
        );
    }
    refuses_edit(
        "{\"task\"",
        "\"id\":0",
        "\"id\":1",
        "task 1 where task 0 must be",
    );
    refuses_edit("{\"thread\"", "\"task\":0", "\"task\":9", "uses task 9");
    refuses_edit(
        "{\"sample\"",
        "\"stack\":1",
        "\"stack\":99",
        "uses stack 99",
    );
    refuses_edit("{\"sample\"", "\"count\":59", "\"count\":0", "never taken");
    refuses_edit(
        "{\"cpu\"",
        "\"cpu\":0",
        "\"cpu\":7",
        "CPU 7, which is in no CPU group",
    );
    refuses_edit(
        "{\"interval\"",
        "\"meter\":1",
        "\"meter\":0",
        "meter 0 twice",
    );
    refuses_edit(
        "{\"header\"",
        "\"cpus\":[0,1,300]",
        "\"cpus\":[1,0]",
        "does not ascend",
    );
}

#[test]
fn lines_have_an_order() {
    let repeat = |lines: &mut Vec<String>, at: usize| {
        let again = lines[at].clone();
        lines.insert(at, again);
    };
    // The second of the two is the wrong one, which is one line further down.
    for (from, word) in [
        ("{\"header\"", "second header"),
        ("{\"schema\"", "second schema"),
    ] {
        let mut lines = lines();
        let at = lines
            .iter()
            .position(|line| line.starts_with(from))
            .unwrap();
        repeat(&mut lines, at);
        let error = loaded(lines.join("\n").as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("line {} of", at + 2)), "{error}");
        assert!(error.contains(word), "{error}");
    }
    // A CPU twice is a matter of the whole interval, which begins before it.
    let mut twice = lines();
    let cpu = twice
        .iter()
        .position(|line| line.starts_with("{\"cpu\""))
        .unwrap();
    repeat(&mut twice, cpu);
    let error = loaded(twice.join("\n").as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("line {cpu} of")), "{error}");
    assert!(error.contains("CPU 0 twice"), "{error}");

    let task = "{\"gone\":{\"task\":0,\"at\":0}}".to_owned();
    refuses(
        "{\"schema\"",
        |lines, at| lines[at] = task.clone(),
        "schema",
    );
    let other = "{\"schema\":\"eprof-recording/3\"}".to_owned();
    refuses(
        "{\"schema\"",
        |lines, at| lines[at] = other,
        "eprof-recording/3",
    );
    let member = "{\"member\":{}}".to_owned();
    refuses("{\"task\"", |lines, at| lines[at] = member, "is a member");
    let sample = lines()
        .into_iter()
        .find(|line| line.starts_with("{\"sample\""))
        .unwrap();
    refuses(
        "{\"object\"",
        |lines, at| lines[at] = sample,
        "follows none",
    );

    for (text, word) in [
        ("", "eprof dump writes first"),
        ("{\"schema\":\"eprof-recording/2\"}\n", "no header"),
        (
            "{\"schema\":\"eprof-merged/2\"}\n{\"member\":{}}\n",
            "no header",
        ),
        (
            "{\"schema\":\"eprof-merged/2\"}\n{\"gone\":{\"task\":0,\"at\":0}}\n",
            "not a member",
        ),
    ] {
        let error = loaded(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains(word), "{error}");
    }
    let after = [lines(), vec![task]].concat();
    let error = loaded(after.join("\n").as_bytes()).unwrap_err().to_string();
    assert!(error.contains("after its end"), "{error}");
}

#[test]
fn what_may_be_absent_may_be_left_out_and_parts_may_be_shuffled() {
    let mut lines = lines();
    for line in &mut lines {
        for absent in [
            ",\"parent\":null",
            "\"parent\":null,",
            ",\"hint\":null",
            ",\"build_id\":null",
            ",\"updated\":null",
        ] {
            *line = line.replace(absent, "");
        }
    }
    // The parts of an interval, the other way round but for each kind.
    let parts = |line: &String| {
        ["{\"cpu\"", "{\"thread\"", "{\"sample\""]
            .iter()
            .position(|key| line.starts_with(key))
    };
    for interval in lines.chunk_by_mut(|a, b| parts(a).is_some() && parts(b).is_some()) {
        interval.sort_by_key(|line| parts(line).map(|kind| 3 - kind));
    }
    let text = lines.join("\r\n\n");
    assert_eq!(
        records(&loaded(text.as_bytes()).unwrap()),
        sample::records()
    );
}

/// Another digit in place of one.
fn edit(text: &mut [u8], rng: &mut Rng) {
    let digits: Vec<usize> = (0..text.len())
        .filter(|at| text[*at].is_ascii_digit())
        .collect();
    let at = digits[rng.next() as usize % digits.len()];
    text[at] = b'0' + (rng.next() % 10) as u8;
}

#[test]
fn a_mutated_text_is_refused_or_gives_a_sound_recording() {
    let text = lines().join("\n").into_bytes();
    let (mut refused, mut changed) = (0, 0);
    for seed in 0..3_000 {
        let mut rng = Rng(seed);
        let mut mutated = text.clone();
        for _ in 0..=seed / 2 % 4 {
            match seed % 2 {
                0 => mutate(&mut mutated, &mut rng),
                _ => edit(&mut mutated, &mut rng),
            }
        }
        match loaded(&mutated) {
            Ok(recording) => {
                changed += u32::from(mutated != text);
                assert_lossless(&recording);
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind(), ErrorKind::Data, "{error}");
                assert!(error.to_string().starts_with("line "), "{error}");
            }
        }
    }
    assert!(refused > 1_000 && changed > 300, "{refused} {changed}");
}

#[test]
fn an_endless_line_is_bounded() {
    let endless = BufReader::new(std::io::repeat(b' ').take(1 << 32));
    let (result, most) = largest(|| load(endless, "a.jsonl", Cursor::new(Vec::new())));
    let error = result.unwrap_err().to_string();
    assert_eq!(error, "line 1 of a.jsonl is longer than 48 MiB");
    assert!(most < 128 << 20, "{most}");
}

#[test]
fn lists_of_empty_strings_are_bounded() {
    // As many empty arguments as a line has room for.
    let mut lines = lines();
    let header = lines
        .iter()
        .position(|line| line.starts_with("{\"header\""))
        .unwrap();
    let arguments = "\"\",".repeat((48 << 20) / 3 - 4_000);
    lines[header] = lines[header].replacen("\"argv\":[", &format!("\"argv\":[{arguments}"), 1);
    let text = lines.join("\n").into_bytes();
    let (result, most) = largest(|| loaded(&text).map(drop));
    let error = result.unwrap_err().to_string();
    assert!(error.contains("MiB is the most"), "{error}");
    assert!(most < 512 << 20, "{most}");
}

#[test]
fn parts_of_an_interval_are_bounded() {
    let mut lines = lines();
    let cpu = lines
        .iter()
        .position(|line| line.starts_with("{\"cpu\""))
        .unwrap();
    let again = lines[cpu].clone();
    lines.splice(cpu..=cpu, std::iter::repeat_n(again, 65_537));
    let error = loaded(lines.join("\n").as_bytes()).unwrap_err().to_string();
    let place = format!("line {} of", cpu + 65_537);
    assert!(error.starts_with(&place), "{error}");
    assert!(error.contains("65536 are the most"), "{error}");
}

#[test]
fn nothing_but_an_interval_is_held() {
    // Some 13 MB of text.
    let mut records = sample::records();
    let mut last = match records.remove(12) {
        Record::Interval(interval) => interval,
        other => panic!("{other:?}"),
    };
    records.truncate(12);
    let begin = last.end.0;
    let samples = last.samples.clone();
    for n in 0..100 {
        last.begin = Timestamp(begin + n);
        last.end = Timestamp(begin + n + 1);
        last.readings.clear();
        last.samples = samples.iter().cycle().take(1_200).copied().collect();
        records.push(Record::Interval(last.clone()));
    }
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("a"), directory.path().join("b"));
    std::fs::write(&path, sample::write(&records).bytes()).unwrap();
    let mut text = std::fs::File::create(&copy).unwrap();
    let (dumped, most) = largest(|| dump(&path, &mut text));
    assert!(dumped.is_ok());
    assert!(most < 2 << 20, "{most}");
    assert!(copy.metadata().unwrap().len() > 10 << 20);
    let input = BufReader::new(std::fs::File::open(&copy).unwrap());
    let mut out = std::fs::File::create(&path).unwrap();
    let (loaded, most) = largest(|| load(input, "b", &mut out));
    loaded.unwrap();
    assert!(most < 2 << 20, "{most}");
    assert!(self::records(&std::fs::read(&path).unwrap()) == records);
}

#[test]
fn counters_keep_their_modulus() {
    // Some 2^53 and more, which a program that has only doubles rounds.
    let mut header = sample::header();
    let modulus = Some((1 << 53) + 1);
    header.meters[0].quantity = Quantity::Counter {
        unit_uj: 0.1,
        modulus,
    };
    let recording = sample::write(&[Record::Header(Box::new(header))]).bytes();
    assert!(text(&recording).contains("\"modulus\":9007199254740993}"));
    assert_lossless(&recording);
}
