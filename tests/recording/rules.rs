//! Every rule: a recording that breaks it is refused with the offset of the
//! block, and the writer does not write it in the first place.

use eprof::caveat::Caveat;
use eprof::error::ErrorKind;
use eprof::measurement::{
    Baseline, CpuGroupId, Frame, FrameId, Lines, MeterId, Object, ObjectId, Quantity, Segment,
    Signals, StackId, StackNode, Symbol, TaskId, ThreadAccount,
};
use eprof::recording::check::{MAX_ARGUMENTS, MAX_CAVEATS};
use eprof::recording::{Header, IntervalRecord, Record, Recording, SampleCount, Writer};
use eprof::unit::{Nanos, Timestamp, Watts};

use super::hostile::forge;
use super::sample::{self, START};

/// Asserts that `records` followed by `bad` is refused, by reader and writer,
/// with a sentence that has `word` in it.
fn refuses(records: &[Record], bad: &Record, word: &str) {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for record in records {
        writer.push(record).unwrap();
    }
    let error = writer.push(bad).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains(word), "{error}, not {word}");

    let records = [records, std::slice::from_ref(bad)].concat();
    let error = Recording::load(forge(&records).as_slice(), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains(word), "{error}, not {word}");
    assert!(error.to_string().contains("byte 12"), "{error}");
}

/// Everything but the end.
fn begun() -> Vec<Record> {
    let mut records = sample::records();
    records.pop();
    records
}

fn bad_header(word: &str, spoil: impl FnOnce(&mut Header)) {
    let mut header = sample::header();
    spoil(&mut header);
    refuses(&[], &Record::Header(Box::new(header)), word);
}

fn bad_interval(word: &str, spoil: impl FnOnce(&mut IntervalRecord)) {
    let (begin, end) = (START + 200_000_000, START + 300_000_000);
    let mut interval = sample::interval(begin, end);
    spoil(&mut interval);
    refuses(&begun(), &Record::Interval(interval), word);
}

#[test]
fn the_header_is_first_and_the_end_is_last() {
    refuses(&[], &Record::Task(sample::task(0, None)), "header");
    refuses(&[], &Record::End(Box::new(sample::end())), "header");
    refuses(
        &begun(),
        &Record::Header(Box::new(sample::header())),
        "second header",
    );
    refuses(
        &sample::records(),
        &Record::Task(sample::task(2, None)),
        "after its end",
    );
    refuses(
        &sample::records(),
        &Record::End(Box::new(sample::end())),
        "after its end",
    );
}

#[test]
fn lists_that_take_no_room_have_limits() {
    bad_header("a command of 1048578 arguments", |header| {
        header.command.argv = vec![String::new(); MAX_ARGUMENTS + 1];
    });
    let caveats = vec![Caveat::new("", ""); MAX_CAVEATS + 1];
    bad_header("65537 caveats", |header| header.caveats = caveats.clone());
    let mut end = sample::end();
    end.caveats = caveats;
    refuses(&begun(), &Record::End(Box::new(end)), "65537 caveats");
}

#[test]
fn tasks_are_numbered_and_known() {
    refuses(
        &begun(),
        &Record::Task(sample::task(3, None)),
        "task 2 must be",
    );
    refuses(
        &begun(),
        &Record::Task(sample::task(1, None)),
        "task 2 must be",
    );
    refuses(
        &begun(),
        &Record::Task(sample::task(2, Some(2))),
        "uses task 2",
    );
    let mut early = sample::task(2, None);
    early.began = Timestamp(START - 1);
    refuses(&begun(), &Record::Task(early), "before its start");
    let (task, at) = (TaskId(2), Timestamp(0));
    refuses(
        &begun(),
        &Record::Renamed {
            task,
            at,
            comm: String::new(),
        },
        "uses task 2",
    );
    refuses(&begun(), &Record::Gone { task, at }, "uses task 2");
}

#[test]
fn code_is_defined_before_it_is_used() {
    let frame = Frame::User {
        object: ObjectId(2),
        offset: 0,
        returns: false,
    };
    refuses(&begun(), &Record::Frame(frame), "uses object 2");
    let node = |parent, frame| {
        Record::Stack(StackNode {
            parent,
            frame: FrameId(frame),
        })
    };
    refuses(&begun(), &node(None, 9), "uses frame 9");
    refuses(&begun(), &node(Some(StackId(5)), 0), "uses stack 5");
    let symbol = |frame, functions| {
        Record::Symbol(Symbol {
            frame: FrameId(frame),
            functions,
        })
    };
    refuses(&begun(), &symbol(9, vec!["f".into()]), "uses frame 9");
    refuses(&begun(), &symbol(0, vec![]), "0 functions");
    refuses(
        &begun(),
        &symbol(0, vec![String::new(); 1025]),
        "1025 functions",
    );
    let generated = Frame::Generated {
        process: TaskId(2),
        address: 0,
        returns: false,
    };
    refuses(&begun(), &Record::Frame(generated), "uses task 2");
    let lines = |frame, n| {
        Record::Lines(Lines {
            frame: FrameId(frame),
            lines: vec![None; n],
        })
    };
    refuses(&begun(), &lines(9, 1), "uses frame 9");
    refuses(&begun(), &lines(0, 1025), "1025 source lines");
    let segments = |object, n| Record::Segments {
        object: ObjectId(object),
        segments: vec![
            Segment {
                offset: 0,
                length: 1,
                address: 0,
            };
            n
        ],
    };
    refuses(&begun(), &segments(2, 1), "uses object 2");
    refuses(&begun(), &segments(0, 1025), "1025 segments");
}

#[test]
fn stacks_are_not_endless() {
    let mut records = begun();
    let parents = (4..).map(|id| Some(StackId(id)));
    // Node 4 is two deep.
    let nodes = parents.map(|parent| {
        Record::Stack(StackNode {
            parent,
            frame: FrameId(0),
        })
    });
    records.extend(nodes.take(4094));
    let last = Record::Stack(StackNode {
        parent: Some(StackId(4098)),
        frame: FrameId(0),
    });
    refuses(&records, &last, "4096 frames");
}

#[test]
fn texts_and_times_are_bounded() {
    let long = "x".repeat((1 << 20) + 1);
    let mut task = sample::task(2, None);
    task.comm.clone_from(&long);
    refuses(&begun(), &Record::Task(task), "1048577");
    let object = Object {
        path: long.clone(),
        build_id: None,
    };
    refuses(&begun(), &Record::Object(object), "string");
    let object = Object {
        path: String::new(),
        build_id: Some(vec![0; 257]),
    };
    refuses(&begun(), &Record::Object(object), "build id of 257");
    bad_header("string", |header| header.command.argv.push(long.clone()));
    bad_header("string", |header| {
        header.caveats[0].hint = Some(long.clone())
    });
    bad_header("time", |header| header.started = Timestamp(u64::MAX));
    bad_header("time", |header| header.interval = Nanos((1 << 60) + 1));
    let mut end = sample::end();
    end.losses.count(&long, 1);
    refuses(&begun(), &Record::End(Box::new(end)), "string");
    let mut end = sample::end();
    end.footprint.programs[0].2 = Some(f64::NAN);
    refuses(&begun(), &Record::End(Box::new(end)), "cost of NaN");
}

#[test]
fn meters_make_sense() {
    bad_header("meter 2 where meter 1", |header| {
        header.meters.remove(1);
    });
    bad_header("ascend", |header| header.meters[0].cpus = vec![1, 1]);
    bad_header("CPU 65536", |header| header.meters[0].cpus = vec![1 << 16]);
    for unit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        bad_header("unit", |header| {
            header.meters[0].quantity = Quantity::Counter {
                unit_uj: unit,
                modulus: None,
            };
        });
        bad_header("unit", |header| {
            header.meters[0].quantity = Quantity::Power { unit_w: unit };
        });
        bad_header("unit", |header| {
            header.meters[0].quantity = Quantity::Falling { unit_uj: unit };
        });
    }
    bad_header("wraps at 0", |header| {
        header.meters[0].quantity = Quantity::Counter {
            unit_uj: 1.0,
            modulus: Some(0),
        };
    });
    bad_header("band", |header| {
        header.meters[0].quantity = Quantity::Model {
            idle_w: 1.0,
            busy_w: 1.0,
            low: 2.0,
            high: 1.0,
        };
    });
    bad_header("parameter", |header| {
        header.meters[0].quantity = Quantity::Model {
            idle_w: f64::NAN,
            busy_w: 1.0,
            low: 1.0,
            high: 1.0,
        };
    });
    for watts in [0.0, -1.0, f64::NAN] {
        bad_header("at most", |header| {
            header.meters[0].plausible = Watts(watts)
        });
    }
}

#[test]
fn cpu_groups_make_sense() {
    bad_header("CPU group 1 where CPU group 0", |header| {
        header.cpu_groups.remove(0);
    });
    bad_header("two CPU groups", |header| {
        header.cpu_groups[1].cpus = vec![1, 300]
    });
    bad_header("without CPUs", |header| header.cpu_groups[1].cpus.clear());
    bad_header("ascend", |header| header.cpu_groups[1].cpus = vec![7, 3]);
    bad_header("CPU 4294967295", |header| {
        header.cpu_groups[1].cpus = vec![u32::MAX]
    });
}

#[test]
fn baselines_make_sense() {
    let add = |meter, power, sd| {
        move |header: &mut Header| {
            header.baselines.push(Baseline {
                meter: MeterId(meter),
                power: Watts(power),
                sd: Watts(sd),
                origin: "option".into(),
            });
        }
    };
    bad_header("uses meter 5", add(5, 1.0, 0.0));
    bad_header("two baselines of meter 0", add(0, 1.0, 0.0));
    for power in [-1.0, f64::NAN, f64::INFINITY] {
        bad_header("idle power", add(1, power, 0.0));
        bad_header("deviation", add(1, 1.0, power));
    }
}

#[test]
fn time_does_not_go_backwards() {
    bad_interval("before it begins", |interval| {
        interval.end = Timestamp(START)
    });
    bad_interval("before the last one ends", |interval| {
        interval.begin = Timestamp(START + 199_999_999);
    });
    bad_interval("time", |interval| interval.end = Timestamp(u64::MAX));
    bad_interval("out of order", |interval| {
        interval.readings[3].begin = Timestamp(START)
    });
    bad_interval("out of order", |interval| {
        interval.readings[3].end = Timestamp(interval.readings[3].begin.0 - 1);
    });
}

#[test]
fn intervals_use_what_is_defined() {
    bad_interval("uses meter 5", |interval| {
        interval.readings[0].meter = MeterId(5)
    });
    bad_interval("meter 1 twice", |interval| {
        interval.readings[0].meter = MeterId(1)
    });
    let cpu = |cpu| eprof::measurement::CpuAccount {
        cpu,
        ..Default::default()
    };
    bad_interval("CPU 2, which is in no CPU group", |interval| {
        interval.cpus = vec![cpu(2)]
    });
    bad_interval("no CPU group", |interval| {
        interval.cpus = vec![cpu(u32::MAX)]
    });
    bad_interval("CPU 300 twice", |interval| {
        interval.cpus = vec![cpu(300), cpu(0), cpu(300)]
    });
    bad_interval("time", |interval| {
        interval.cpus = vec![cpu(0)];
        interval.cpus[0].target = Signals::of_time(Nanos(u64::MAX));
    });
    let thread = |task, group, on_cpu| ThreadAccount {
        task: TaskId(task),
        group: CpuGroupId(group),
        signals: Signals::of_time(Nanos(on_cpu)),
    };
    bad_interval("uses task 2", |interval| {
        interval.threads = vec![thread(2, 0, 1)]
    });
    bad_interval("uses CPU group 2", |interval| {
        interval.threads = vec![thread(0, 2, 1)]
    });
    bad_interval("time", |interval| {
        interval.threads = vec![thread(0, 0, u64::MAX)]
    });
    let sample = |task, group, stack, count| SampleCount {
        task: TaskId(task),
        group: CpuGroupId(group),
        stack: StackId(stack),
        count,
        spent: Nanos(0),
        counts: [0; 4],
    };
    bad_interval("uses task 2", |interval| {
        interval.samples = vec![sample(2, 0, 0, 1)]
    });
    bad_interval("uses CPU group 2", |interval| {
        interval.samples = vec![sample(0, 2, 0, 1)]
    });
    bad_interval("uses stack 5", |interval| {
        interval.samples = vec![sample(0, 0, 5, 1)]
    });
    bad_interval("never taken", |interval| {
        interval.samples = vec![sample(0, 0, 0, 0)]
    });
}

#[test]
fn a_refused_record_is_left_out_and_the_rest_is_written() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for record in sample::records() {
        if matches!(record, Record::End(_)) {
            let unknown = Record::Gone {
                task: TaskId(9),
                at: Timestamp(1),
            };
            assert!(writer.push(&unknown).is_err());
            let mut backwards = sample::interval(1_000_000, 1_000_001);
            backwards.readings.clear();
            assert!(writer.push(&Record::Interval(backwards)).is_err());
        }
        writer.push(&record).unwrap();
    }
    let bytes = writer.finish().unwrap();
    assert_eq!(super::round_trip::read(&bytes), sample::records());
}
