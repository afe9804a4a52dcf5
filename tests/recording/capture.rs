//! The builder: interning is exact, samples are counted, slips are counted.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use eprof::measurement::{
    CpuAccount, CpuGroupId, Frame, FrameId, IntervalAccounts, Object, ObjectId, SampledSlice,
    Signals, StackEnd, StackId, Symbol, TaskId, ThreadAccount,
};
use eprof::recording::{Capture, End, Extent, Finished, Recording, StackTable};
use eprof::unit::{Nanos, Timestamp};
use proptest::prelude::*;

use super::sample::{self, START};

/// The frames of a stack, root first.
fn path(id: StackId, frames: &[Frame], nodes: &[eprof::measurement::StackNode]) -> Vec<Frame> {
    let mut path = Vec::new();
    let mut next = Some(id);
    while let Some(id) = next {
        let node = nodes[id.0 as usize];
        assert!(node.parent < Some(id), "parents precede");
        path.push(frames[node.frame.0 as usize]);
        next = node.parent;
    }
    path.reverse();
    path
}

fn accounts(begin: u64, end: u64) -> IntervalAccounts {
    IntervalAccounts {
        begin: Timestamp(begin),
        end: Timestamp(end),
        ..Default::default()
    }
}

fn capture() -> Capture<Vec<u8>> {
    let mut capture = Capture::new(Vec::new(), sample::header()).unwrap();
    capture
        .close(accounts(START, START), sample::readings(START, 5))
        .unwrap();
    capture.created(sample::task(0, None)).unwrap();
    capture.created(sample::task(1, Some(0))).unwrap();
    capture
}

/// No time on a CPU.
fn on(cpu: u32) -> SampledSlice {
    SampledSlice {
        cpu,
        ..SampledSlice::default()
    }
}

fn finish(capture: Capture<Vec<u8>>) -> (Recording, Vec<u8>) {
    let Finished {
        out,
        catalog,
        failure,
    } = capture.finish(sample::end()).unwrap();
    assert!(failure.is_none());
    let bytes = out.unwrap();
    let recording = Recording::load(bytes.as_slice(), Some(bytes.len() as u64)).unwrap();
    assert_eq!(recording.catalog, catalog, "memory and file say the same");
    (recording, bytes)
}

/// Stacks of a few different frames, so that they share a lot.
fn stacks() -> impl Strategy<Value = Vec<Vec<Frame>>> {
    let frame = prop_oneof![
        (0..4_u64).prop_map(Frame::Unmapped),
        (0..4_u64, any::<bool>()).prop_map(|(address, returns)| Frame::Kernel { address, returns }),
        Just(Frame::Broken(StackEnd::Truncated)),
    ];
    prop::collection::vec(prop::collection::vec(frame, 1..12), 0..60)
}

proptest! {
    #[test]
    fn equal_stacks_are_one_and_different_ones_are_not(stacks in stacks()) {
        let mut table = StackTable::new();
        let ids: Vec<StackId> = stacks.iter().map(|stack| table.intern(stack)).collect();
        let mut known: HashMap<StackId, &[Frame]> = HashMap::new();
        for (id, stack) in ids.iter().zip(&stacks) {
            prop_assert_eq!(&path(*id, table.frames(), table.nodes()), stack);
            prop_assert_eq!(*known.entry(*id).or_insert(stack), stack.as_slice());
        }
        // As many nodes as there are different prefixes, and no frame twice.
        let mut prefixes: Vec<&[Frame]> = stacks
            .iter()
            .flat_map(|stack| (1..=stack.len()).map(move |n| &stack[..n]))
            .collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        prop_assert_eq!(table.nodes().len(), prefixes.len());
        let mut frames = table.frames().to_vec();
        frames.sort_unstable();
        frames.dedup();
        prop_assert_eq!(table.frames().len(), frames.len());
    }

    #[test]
    fn every_sample_is_counted_once(
        samples in prop::collection::vec((0..2_u32, 0..2_usize, 0..60_usize, 0..3_u64), 0..200),
        stacks in stacks(),
    ) {
        prop_assume!(!stacks.is_empty());
        let mut capture = capture();
        let mut expected: BTreeMap<(u64, u32, u16, &[Frame]), u32> = BTreeMap::new();
        for turn in 0..3 {
            for &(task, cpu, stack, _) in samples.iter().filter(|sample| sample.3 == turn) {
                let stack = &stacks[stack % stacks.len()];
                capture.sample(TaskId(task), &on([0, 1][cpu]), stack);
                *expected.entry((turn, task, cpu as u16, stack)).or_default() += 1;
            }
            let begin = START + turn;
            capture.close(accounts(begin, begin + 1), Vec::new()).unwrap();
        }
        let (recording, _) = finish(capture);
        let catalog = &recording.catalog;
        let mut found = BTreeMap::new();
        let paths: Vec<Vec<Frame>> = (0..catalog.stacks.len() as u32)
            .map(|id| path(StackId(id), &catalog.frames, &catalog.stacks))
            .collect();
        for (turn, interval) in recording.intervals.iter().skip(1).enumerate() {
            for sample in &interval.samples {
                let stack = paths[sample.stack.0 as usize].as_slice();
                let key = (turn as u64, sample.task.0, sample.group.0, stack);
                prop_assert_eq!(found.insert(key, sample.count), None);
            }
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let run = || {
        let mut capture = capture();
        for address in 0..200 {
            let kernel = Frame::Kernel {
                address,
                returns: false,
            };
            capture.sample(TaskId(0), &on(300), &[Frame::Unmapped(address % 7), kernel]);
        }
        capture
            .close(accounts(START, START + 9), Vec::new())
            .unwrap();
        finish(capture).1
    };
    assert_eq!(run(), run());
}

#[test]
fn the_closed_interval_is_the_recorded_one() {
    let mut capture = capture();
    let object = Object {
        path: "/bin/true".into(),
        build_id: None,
    };
    assert_eq!(capture.object(object.clone()).unwrap(), ObjectId(0));
    let other = Object {
        build_id: Some(vec![1]),
        ..object
    };
    assert_eq!(capture.object(other).unwrap(), ObjectId(1));
    capture.sample(
        TaskId(1),
        &on(300),
        &[Frame::User {
            object: ObjectId(1),
            offset: 9,
            returns: false,
        }],
    );
    let closed = capture
        .close(
            accounts(START, START + 9_000),
            sample::readings(START + 9_000, 6),
        )
        .unwrap();
    assert_eq!(closed.samples.len(), 1);
    assert_eq!(
        closed.samples[0].group,
        CpuGroupId(0),
        "CPU 300 is in CPU group 0"
    );
    assert_eq!(capture.catalog().frames.len(), 1);
    let at = Timestamp(8);
    capture.renamed(TaskId(1), at, "x".into()).unwrap();
    capture.gone(TaskId(1), Timestamp(9)).unwrap();
    capture
        .symbol(Symbol {
            frame: FrameId(0),
            functions: vec!["f".into()],
        })
        .unwrap();
    let (recording, _) = finish(capture);
    assert_eq!(recording.intervals[1], closed);
    assert_eq!(recording.catalog.gone, [None, Some(Timestamp(9))]);
    assert_eq!(recording.catalog.renames[0].comm, "x");
    assert_eq!(recording.catalog.symbols[0].functions, ["f"]);
    let end = End {
        extent: Extent {
            intervals: 2,
            begin: Timestamp(START),
            end: Timestamp(START + 9_000),
        },
        ..sample::end()
    };
    assert_eq!(recording.catalog.end, Some(end), "nothing was lost");
    assert_eq!(recording.catalog.caveats, []);
}

#[test]
fn what_was_never_announced_is_counted_and_spoils_nothing() {
    let mut capture = capture();
    let stack = [Frame::Unmapped(1)];
    capture.sample(TaskId(2), &on(0), &stack);
    capture.sample(TaskId(0), &on(2), &stack);
    capture.sample(TaskId(0), &on(u32::MAX), &stack);
    capture.gone(TaskId(7), Timestamp(9)).unwrap();
    let thread = |task, group| ThreadAccount {
        task: TaskId(task),
        group: CpuGroupId(group),
        signals: Signals::of_time(Nanos(1)),
    };
    let cpu = |cpu| CpuAccount {
        cpu,
        ..Default::default()
    };
    let closed = capture
        .close(
            IntervalAccounts {
                cpus: vec![cpu(0), cpu(2), cpu(300)],
                threads: vec![thread(0, 0), thread(2, 0), thread(0, 2)],
                ..accounts(START, START + 1)
            },
            Vec::new(),
        )
        .unwrap();
    assert_eq!(
        (
            closed.cpus.len(),
            closed.threads.len(),
            closed.samples.len()
        ),
        (2, 1, 0)
    );
    capture.sample(TaskId(0), &on(0), &stack);
    capture.sample(TaskId(0), &on(0), &stack);
    let (recording, _) = finish(capture);
    let mut losses = sample::end().losses;
    for (reason, count) in [
        ("sample-of-unknown-task", 1),
        ("sample-outside-groups", 2),
        ("event-of-unknown-task", 1),
        ("cpu-outside-groups", 1),
        ("account-of-unknown-task", 2),
        ("sample-after-last-interval", 2),
    ] {
        losses.count(reason, count);
    }
    assert_eq!(recording.catalog.end.unwrap().losses, losses);
}

#[test]
fn stacks_that_are_absent_or_endless_are_marked() {
    let mut table = StackTable::new();
    let absent = table.intern(&[]);
    assert_eq!(
        path(absent, table.frames(), table.nodes()),
        [Frame::Broken(StackEnd::Absent)]
    );

    let endless: Vec<Frame> = (0..5_000).map(Frame::Unmapped).collect();
    let cut = table.intern(&endless);
    let cut = path(cut, table.frames(), table.nodes());
    assert_eq!(cut.len(), 4096);
    assert_eq!(cut[0], Frame::Broken(StackEnd::Truncated));
    assert_eq!(cut[1..], endless[5_000 - 4_095..], "the leaf's end is kept");
}

#[test]
fn endless_texts_are_shortened_and_readable() {
    let mut header = sample::header();
    header.command.argv = vec!["ü".repeat(700_000), "y".repeat(2 << 20), "z".into()];
    let mut capture = Capture::new(Vec::new(), header).unwrap();
    capture.created(sample::task(0, None)).unwrap();
    capture.sample(TaskId(0), &on(0), &[Frame::Unmapped(1)]);
    capture.close(accounts(START, START), Vec::new()).unwrap();
    let functions = vec!["λ".repeat(3 << 20)];
    capture
        .symbol(Symbol {
            frame: FrameId(0),
            functions,
        })
        .unwrap();
    let (recording, _) = finish(capture);
    let argv = &recording.catalog.header.command.argv;
    assert_eq!(argv.len(), 2);
    assert!(argv[0].ends_with("ü…") && argv[0].len() <= 1 << 20);
    assert_eq!(argv[1], "…");
    let name = &recording.catalog.symbols[0].functions[0];
    assert!(name.ends_with("λ…") && name.len() <= 16 << 10);
}

/// A disk with room for so many bytes.
struct Disk(Vec<u8>, usize);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = bytes.len().min(self.1 - self.0.len());
        self.0.extend_from_slice(&bytes[..room]);
        if room == 0 {
            Err(io::Error::from_raw_os_error(28))
        } else {
            Ok(room)
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_costs_the_file_and_not_the_measurement() {
    // The disk is looked at after the writer is gone.
    let mut disk = Disk(Vec::new(), 900);
    let mut capture = Capture::new(&mut disk, sample::header()).unwrap();
    capture.created(sample::task(0, None)).unwrap();
    let mut closed = Vec::new();
    for turn in 0..50 {
        capture.sample(TaskId(0), &on(0), &[Frame::Unmapped(turn)]);
        let begin = START + turn;
        closed.push(
            capture
                .close(accounts(begin, begin + 1), Vec::new())
                .unwrap(),
        );
    }
    assert!(
        capture
            .failure()
            .unwrap()
            .to_string()
            .contains("No space left")
    );
    let finished = capture.finish(sample::end()).unwrap();
    assert!(finished.out.is_none());
    assert!(
        finished
            .failure
            .unwrap()
            .to_string()
            .contains("No space left")
    );
    assert_eq!(finished.catalog.stacks.len(), 50);
    // What was closed is what there was, whether or not it is in the file.
    let extent = Extent {
        intervals: 50,
        begin: Timestamp(START),
        end: Timestamp(START + 50),
    };
    let end = End {
        extent,
        ..sample::end()
    };
    assert_eq!(finished.catalog.end, Some(end));

    assert_eq!(disk.0.len(), 900, "nothing is written after half a frame");
    let recording = Recording::load(disk.0.as_slice(), Some(900)).unwrap();
    let kept = recording.intervals.len();
    assert!((1..50).contains(&kept), "{kept}");
    assert_eq!(recording.intervals, closed[..kept]);
    assert_eq!(recording.catalog.caveats[0].code, "recording-damaged");
}
