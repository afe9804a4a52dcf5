//! A second reader, written from `docs/recording-format.md` alone: no
//! serde, no postcard, its own CRC. It must see what eprof wrote.

use std::collections::BTreeMap;

use eprof::caveat::Caveat;
use eprof::measurement::*;
use eprof::power::{PowerModel, Shape, Signal, Term};
use eprof::recording::*;
use eprof::unit::{Nanos, Timestamp, Watts};

/// Bytes that are consumed from the front, and the events of the header.
struct Bytes<'a> {
    rest: &'a [u8],
    events: Vec<Event>,
}

fn event(name: &str) -> Event {
    match name {
        "smt-shared" => Event::SmtShared,
        "cycles" => Event::Counter(Counter::Cycles),
        "reference-cycles" => Event::Counter(Counter::ReferenceCycles),
        "instructions" => Event::Counter(Counter::Instructions),
        "cache-misses" => Event::Counter(Counter::CacheMisses),
        "switches" => Event::Switches,
        "wakeups" => Event::Wakeups,
        "migrations" => Event::Migrations,
        other => panic!("event {other}"),
    }
}

impl Bytes<'_> {
    fn u8(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().unwrap();
        self.rest = rest;
        *first
    }

    fn fixed<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.u8())
    }

    fn varint(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.u8();
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }

    fn u16(&mut self) -> u16 {
        self.varint().try_into().unwrap()
    }

    fn u32(&mut self) -> u32 {
        self.varint().try_into().unwrap()
    }

    fn i32(&mut self) -> i32 {
        let zigzag = self.u32();
        (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32)
    }

    fn bool(&mut self) -> bool {
        match self.u8() {
            0 => false,
            1 => true,
            other => panic!("{other} is not a bool"),
        }
    }

    fn f64(&mut self) -> f64 {
        f64::from_le_bytes(self.fixed())
    }

    fn string(&mut self) -> String {
        String::from_utf8(self.list(Self::u8)).unwrap()
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.varint()).map(|_| item(self)).collect()
    }

    fn option<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.bool().then(|| some(self))
    }

    fn time(&mut self) -> Timestamp {
        Timestamp(self.varint())
    }

    fn ns(&mut self) -> Nanos {
        Nanos(self.varint())
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.u32() as usize]
    }

    fn caveat(&mut self) -> Caveat {
        Caveat {
            code: self.string(),
            sentence: self.string(),
            hint: self.option(Self::string),
        }
    }

    fn meter(&mut self) -> Meter {
        use {Domain as D, Provenance as P, SourceKind as S};
        Meter {
            id: MeterId(self.u16()),
            kind: self.pick(&[S::Perf, S::Powercap, S::Hwmon, S::Battery, S::Model]),
            name: self.string(),
            domain: self.pick(&[D::Package, D::Core, D::Uncore, D::Dram, D::Psys]),
            scope: match self.u32() {
                0 => Scope::Machine,
                1 => Scope::Package(self.u32()),
                2 => Scope::Die {
                    package: self.u32(),
                    die: self.u32(),
                },
                3 => Scope::Core {
                    package: self.u32(),
                    core: self.u32(),
                },
                other => panic!("scope {other}"),
            },
            cpus: self.list(Self::u32),
            quantity: match self.u32() {
                0 => Quantity::Counter {
                    unit_uj: self.f64(),
                    modulus: self.option(Self::varint),
                },
                1 => Quantity::Falling {
                    unit_uj: self.f64(),
                },
                2 => Quantity::Power { unit_w: self.f64() },
                3 => Quantity::Model {
                    idle_w: self.f64(),
                    busy_w: self.f64(),
                    low: self.f64(),
                    high: self.f64(),
                },
                other => panic!("quantity {other}"),
            },
            provenance: self.pick(&[P::Measured, P::Attributed, P::Estimated]),
            nested: self.bool(),
            update_period: self.ns(),
            plausible: Watts(self.f64()),
        }
    }

    fn header(&mut self) -> Header {
        Header {
            eprof: self.string(),
            object: self.string(),
            wall_clock_ns: self.varint(),
            started: self.time(),
            host: self.string(),
            kernel: self.string(),
            cpu_model: self.string(),
            command: Command {
                argv: self.list(Self::string),
                directory: self.string(),
            },
            frequency_hz: self.u32(),
            interval: self.ns(),
            events: self.events(),
            follow: self.string(),
            meters: self.list(Self::meter),
            cpu_groups: self.list(|b| CpuGroup {
                id: CpuGroupId(b.u16()),
                cpus: b.list(Self::u32),
                core: b.string(),
            }),
            baselines: self.list(|b| Baseline {
                meter: MeterId(b.u16()),
                power: Watts(b.f64()),
                sd: Watts(b.f64()),
                origin: b.string(),
            }),
            models: self.list(|b| PowerModel {
                meter: MeterId(b.u16()),
                terms: b.list(Self::term),
                covariance: b.list(Self::f64),
                residual: b.f64(),
                origin: b.string(),
            }),
            caveats: self.list(Self::caveat),
        }
    }

    fn interval(&mut self) -> IntervalRecord {
        IntervalRecord {
            begin: self.time(),
            end: self.time(),
            readings: self.list(|b| Reading {
                meter: MeterId(b.u16()),
                raw: b.varint(),
                begin: b.time(),
                end: b.time(),
                updated: b.option(|b| UpdateTime {
                    at: b.time(),
                    sd: b.ns(),
                }),
            }),
            cpus: self.list(|b| CpuAccount {
                cpu: b.u32(),
                kernel: b.signals(),
                other: b.signals(),
                eprof: b.signals(),
                target: b.signals(),
            }),
            threads: self.list(|b| ThreadAccount {
                task: TaskId(b.u32()),
                group: CpuGroupId(b.u16()),
                signals: b.signals(),
            }),
            samples: Vec::new(),
        }
    }

    /// So many samples from a second part.
    fn columns(&mut self, samples: usize) -> Vec<SampleCount> {
        if samples == 0 {
            return Vec::new();
        }
        let mut who = Vec::new();
        while who.len() < samples {
            let one = (self.u32(), self.u16());
            let length = self.varint();
            who.extend((0..length).map(|_| one));
        }
        assert_eq!(who.len(), samples);
        let mut stacks: Vec<u32> = Vec::new();
        for at in 0..samples {
            let same = at > 0 && who[at - 1] == who[at];
            let before = if same { stacks[at - 1] } else { 0 };
            stacks.push(before.wrapping_add(self.u32()));
        }
        let listed = self.events.clone();
        let mut column = || -> Vec<u64> {
            match self.u32() {
                0 => vec![self.varint(); samples],
                1 => (0..samples).map(|_| self.varint()).collect(),
                other => panic!("column {other}"),
            }
        };
        let (count, spent) = (column(), column());
        let counts: [Vec<u64>; 4] =
            Counter::ALL.map(|counter| match listed.contains(&Event::Counter(counter)) {
                true => column(),
                false => vec![0; samples],
            });
        let sample = |at: usize| SampleCount {
            task: TaskId(who[at].0),
            group: CpuGroupId(who[at].1),
            stack: StackId(stacks[at]),
            count: count[at].try_into().unwrap(),
            spent: Nanos(spent[at]),
            counts: counts.each_ref().map(|of| of[at]),
        };
        (0..samples).map(sample).collect()
    }

    fn signals(&mut self) -> Signals {
        let mut signals = Signals::of_time(self.ns());
        for event in self.events.clone() {
            signals[event] = self.varint();
        }
        signals
    }

    /// The list of a header, which tells how accounts and samples look.
    fn events(&mut self) -> Vec<Event> {
        self.events = self.list(|b| event(&b.string()));
        self.events.clone()
    }

    fn counter(&mut self) -> Counter {
        match event(&self.string()) {
            Event::Counter(counter) => counter,
            other => panic!("counter {other:?}"),
        }
    }

    fn signal(&mut self) -> Signal {
        let name = self.string();
        match name.split_once(':') {
            Some(("time", core)) => Signal::Time(core.to_owned()),
            _ if name == "time" => Signal::Time(String::new()),
            _ => Signal::Event(event(&name)),
        }
    }

    fn term(&mut self) -> Term {
        Term {
            signal: self.signal(),
            shape: match self.u32() {
                0 => Shape::Linear,
                1 => Shape::Ramp {
                    from: self.f64(),
                    to: self.option(Self::f64),
                },
                other => panic!("shape {other}"),
            },
            weight: self.f64(),
        }
    }

    fn end(&mut self) -> End {
        End {
            ended: self.time(),
            exit_code: self.i32(),
            signal: self.option(Self::i32),
            losses: Loss(
                self.list(|b| (b.string(), b.varint()))
                    .into_iter()
                    .collect::<BTreeMap<_, _>>(),
            ),
            distrusted: self.list(Self::counter),
            footprint: Footprint {
                cpu: self.ns(),
                peak_rss: self.varint(),
                programs: self.list(|b| (b.string(), b.varint(), b.option(Self::f64))),
            },
            caveats: self.list(Self::caveat),
            extent: Extent {
                intervals: self.varint(),
                begin: self.time(),
                end: self.time(),
            },
        }
    }

    fn record(&mut self) -> Record {
        match self.u32() {
            0 => Record::Header(Box::new(self.header())),
            1 => Record::Task(Task {
                id: TaskId(self.u32()),
                tid: self.u32(),
                pid: self.u32(),
                start: self.time(),
                began: self.time(),
                generation: self.u32(),
                parent: self.option(|b| TaskId(b.u32())),
                comm: self.string(),
            }),
            2 => Record::Renamed {
                task: TaskId(self.u32()),
                at: self.time(),
                comm: self.string(),
            },
            3 => Record::Gone {
                task: TaskId(self.u32()),
                at: self.time(),
            },
            4 => Record::Object(Object {
                path: self.string(),
                build_id: self.option(|b| b.list(Self::u8)),
            }),
            5 => Record::Frame(match self.u32() {
                0 => Frame::User {
                    object: ObjectId(self.u32()),
                    offset: self.varint(),
                    returns: self.bool(),
                },
                1 => Frame::Kernel {
                    address: self.varint(),
                    returns: self.bool(),
                },
                2 => Frame::Unmapped(self.varint()),
                3 => Frame::Broken(self.pick(&[
                    StackEnd::Complete,
                    StackEnd::Truncated,
                    StackEnd::Absent,
                    StackEnd::Failed,
                ])),
                4 => Frame::Generated {
                    process: TaskId(self.u32()),
                    address: self.varint(),
                    returns: self.bool(),
                },
                other => panic!("frame {other}"),
            }),
            6 => Record::Stack(StackNode {
                parent: self.option(|b| StackId(b.u32())),
                frame: FrameId(self.u32()),
            }),
            7 => Record::Interval(self.interval()),
            8 => Record::Symbol(Symbol {
                frame: FrameId(self.u32()),
                functions: self.list(Self::string),
            }),
            9 => Record::End(Box::new(self.end())),
            10 => Record::Lines(Lines {
                frame: FrameId(self.u32()),
                lines: self.list(|b| {
                    b.option(|b| Line {
                        file: b.string(),
                        number: b.u32(),
                    })
                }),
            }),
            11 => Record::Segments {
                object: ObjectId(self.u32()),
                segments: self.list(|b| Segment {
                    offset: b.varint(),
                    length: b.varint(),
                    address: b.varint(),
                }),
            },
            12 => Record::Labels {
                labels: self
                    .list(|b| (b.string(), b.string()))
                    .into_iter()
                    .collect(),
            },
            other => panic!("record {other}"),
        }
    }
}

/// CRC-32, bit by bit, of bytes that follow those whose CRC is `before`.
fn crc(before: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!before, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
        })
    })
}

/// All records of a sound recording.
pub(crate) fn read(file: &[u8]) -> Vec<Record> {
    let mut rest = file
        .strip_prefix(b"\x45\x50\x52\x4F\x46\x00\x0D\x0A\x07\x00\x00\x00")
        .unwrap();
    let mut records = Vec::new();
    let mut events = Vec::new();
    let mut before = 0;
    while !rest.is_empty() {
        let (head, after) = rest.split_at(20);
        let word = |at: usize| u32::from_le_bytes(head[4 * at..][..4].try_into().unwrap());
        let (packed, samples) = (word(0) as usize, word(2) as usize);
        let parts;
        (parts, rest) = after.split_at(packed + samples);
        before = crc(before, &[&head[..16], parts].concat());
        assert_eq!(word(4), before);
        let (packed, samples) = parts.split_at(packed);
        let plain = unpack(packed, word(1));
        let columns = unpack(samples, word(3));
        let of = |rest, events| Bytes { rest, events };
        let mut bytes = of(&plain, events);
        let mut columns = of(&columns, Vec::new());
        while !bytes.rest.is_empty() {
            let mut record = bytes.record();
            columns.events.clone_from(&bytes.events);
            if let Record::Interval(interval) = &mut record {
                interval.samples = columns.columns(bytes.varint() as usize);
            }
            records.push(record);
        }
        assert!(columns.rest.is_empty());
        events = bytes.events;
    }
    records
}

/// What Zstandard packed; of no bytes, none.
fn unpack(packed: &[u8], length: u32) -> Vec<u8> {
    let mut plain = Vec::new();
    if !packed.is_empty() {
        zstd::stream::copy_decode(packed, &mut plain).unwrap();
    }
    assert_eq!(plain.len(), length as usize);
    plain
}

#[test]
fn a_stranger_reads_what_is_written() {
    let records = super::sample::records();
    assert_eq!(read(&super::sample::write(&records).bytes()), records);
}
