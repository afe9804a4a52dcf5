//! What is written is read back, whatever it is and however it is read.

use std::collections::BTreeMap;

use eprof::recording::{Reader, Record, Recording, Writer};
use proptest::prelude::*;

use super::sample::{self, Shared};
use super::{arbitrary, stranger};

pub(crate) fn read(bytes: &[u8]) -> Vec<Record> {
    let reader = Reader::new(bytes, Some(bytes.len() as u64)).unwrap();
    reader.map(Result::unwrap).collect()
}

proptest! {
    #[test]
    fn records_come_back_as_they_were(records in arbitrary::records()) {
        let bytes = sample::write(&records).bytes();
        prop_assert_eq!(&read(&bytes), &records);
        prop_assert_eq!(&stranger::read(&bytes), &records);
    }

    #[test]
    fn a_loaded_recording_holds_every_record(records in arbitrary::records()) {
        let bytes = sample::write(&records).bytes();
        let Recording { catalog, intervals } =
            Recording::load(bytes.as_slice(), Some(bytes.len() as u64)).unwrap();

        let mut gone = vec![None; catalog.tasks.len()];
        let mut expected = intervals.into_iter();
        let (mut tasks, mut renames) = (catalog.tasks.into_iter(), catalog.renames.into_iter());
        let (mut objects, mut frames) = (catalog.objects.into_iter(), catalog.frames.into_iter());
        let (mut stacks, mut symbols) = (catalog.stacks.into_iter(), catalog.symbols.into_iter());
        let (mut lines, mut segments) = (BTreeMap::new(), BTreeMap::new());
        let mut labels = BTreeMap::new();
        let mut end = None;
        for record in records {
            match record {
                Record::Header(header) => prop_assert_eq!(&catalog.header, &*header),
                Record::Task(task) => prop_assert_eq!(tasks.next(), Some(task)),
                Record::Renamed { task, at, comm } => {
                    let rename = renames.next().unwrap();
                    prop_assert_eq!((rename.task, rename.at, rename.comm), (task, at, comm));
                }
                Record::Gone { task, at } => gone[task.0 as usize] = Some(at),
                Record::Object(object) => prop_assert_eq!(objects.next(), Some(object)),
                Record::Frame(frame) => prop_assert_eq!(frames.next(), Some(frame)),
                Record::Stack(node) => prop_assert_eq!(stacks.next(), Some(node)),
                Record::Interval(interval) => prop_assert_eq!(expected.next(), Some(interval)),
                Record::Symbol(symbol) => prop_assert_eq!(symbols.next(), Some(symbol)),
                Record::Lines(of) => {
                    lines.insert(of.frame, of.lines);
                }
                Record::Segments { object, segments: of } => {
                    segments.insert(object, of);
                }
                Record::Labels { labels: of } => labels.extend(of),
                Record::End(it) => end = Some(*it),
            }
        }
        prop_assert_eq!((catalog.lines, catalog.segments), (lines, segments));
        prop_assert_eq!(catalog.labels, labels);
        prop_assert_eq!(catalog.gone, gone);
        let mut caveats = catalog.caveats.iter();
        let unfinished = caveats.any(|of| of.code == "recording-unfinished");
        prop_assert_eq!(catalog.end.is_none(), unfinished);
        prop_assert_eq!(catalog.end, end);
        let rest = (tasks.len(), renames.len(), objects.len(), frames.len(), stacks.len());
        prop_assert_eq!((rest, symbols.len(), expected.len()), ((0, 0, 0, 0, 0), 0, 0));
    }
}

#[test]
fn many_records_between_two_intervals_make_several_blocks() {
    let mut records = sample::records();
    let end = records.pop().unwrap();
    // Some 6 MB of symbols.
    for index in 0..3_000 {
        records.push(Record::Symbol(eprof::measurement::Symbol {
            frame: eprof::measurement::FrameId(1),
            functions: vec![format!("{index}").repeat(500)],
        }));
    }
    records.push(end);
    let out = sample::write(&records);
    assert!(out.writes().len() >= 8, "{:?}", out.writes());
    assert_eq!(read(&out.bytes()), records);
}

#[test]
fn flushing_nothing_writes_nothing() {
    let out = Shared::default();
    let mut writer = Writer::new(out.clone()).unwrap();
    writer.push(&sample::records()[0]).unwrap();
    writer.flush().unwrap();
    let once = out.bytes();
    writer.flush().unwrap();
    assert_eq!(out.bytes(), once);
}

#[test]
fn a_recording_is_not_finished_without_its_end() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.push(&sample::records()[0]).unwrap();
    assert!(writer.finish().is_err());
}
