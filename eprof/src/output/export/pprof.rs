//! The format of pprof: a gzipped protocol buffer (`profile.proto` of
//! github.com/google/pprof, version of 2024). `go tool pprof`, Pyroscope and
//! Parca read it.
//!
//! A sample has three values, `energy/microjoules`, `cpu/nanoseconds` and
//! `samples/count`, and labels for process and thread. Frames have names, and
//! no addresses: the recording has those.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

use crate::profile::{FunctionKey, Profile, SymbolFrame, UNSAMPLED};

use super::super::format::energy::EnergyText;
use super::super::format::sanitize::visible;
use super::stacks::stacks;

/// `perftools.profiles.Profile`. All strings are positions in `strings`.
#[derive(Clone, PartialEq, Message)]
struct Proto {
    #[prost(message, repeated, tag = "1")]
    sample_types: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    mappings: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    locations: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    functions: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    strings: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
    #[prost(int64, repeated, tag = "13")]
    comments: Vec<i64>,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    /// Leaf first.
    #[prost(uint64, repeated, tag = "1")]
    locations: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    values: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    labels: Vec<Label>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Label {
    #[prost(int64, tag = "1")]
    key: i64,
    #[prost(int64, tag = "2")]
    text: i64,
    #[prost(int64, tag = "3")]
    number: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Mapping {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "5")]
    file: i64,
    #[prost(bool, tag = "7")]
    has_functions: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    mapping: u64,
    /// The innermost first: those before the last were inlined.
    #[prost(message, repeated, tag = "4")]
    lines: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function: u64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    file: i64,
}

/// Numbers things in the order in which they come.
struct Numbers<K>(HashMap<K, usize>);

impl<K: Clone + Eq + Hash> Numbers<K> {
    fn of(&mut self, key: &K, new: impl FnOnce(usize)) -> usize {
        if let Some(&number) = self.0.get(key) {
            return number;
        }
        let number = self.0.len();
        self.0.insert(key.clone(), number);
        new(number);
        number
    }
}

/// A profile in the making.
struct Builder {
    proto: Proto,
    strings: Numbers<String>,
    mappings: Numbers<String>,
    functions: Numbers<FunctionKey>,
    locations: Numbers<(u64, Vec<Line>)>,
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Builder {
    fn new() -> Self {
        let mut builder = Self {
            proto: Proto::default(),
            strings: Numbers(HashMap::new()),
            mappings: Numbers(HashMap::new()),
            functions: Numbers(HashMap::new()),
            locations: Numbers(HashMap::new()),
        };
        // The first string has to be empty.
        builder.string("");
        builder
    }

    fn string(&mut self, text: &str) -> i64 {
        let strings = &mut self.proto.strings;
        let text = text.to_owned();
        signed(self.strings.of(&text, |_| strings.push(text.clone())) as u64)
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> ValueType {
        ValueType {
            kind: self.string(kind),
            unit: self.string(unit),
        }
    }

    /// Numbers of mappings, functions and locations begin with one: zero is
    /// none.
    fn mapping(&mut self, module: &str) -> u64 {
        if module.is_empty() {
            return 0;
        }
        let file = self.string(&visible(module));
        let mappings = &mut self.proto.mappings;
        let number = self.mappings.of(&module.to_owned(), |number| {
            mappings.push(Mapping {
                id: number as u64 + 1,
                file,
                has_functions: true,
            });
        });
        number as u64 + 1
    }

    fn function(&mut self, key: &FunctionKey) -> u64 {
        let (name, file) = (
            self.string(&visible(&key.function)),
            self.string(&visible(&key.module)),
        );
        let functions = &mut self.proto.functions;
        let number = self.functions.of(key, |number| {
            functions.push(Function {
                id: number as u64 + 1,
                name,
                system_name: name,
                file,
            });
        });
        number as u64 + 1
    }

    /// A function with all that was inlined into it, the outermost first.
    fn location(&mut self, frames: &[SymbolFrame]) -> u64 {
        let module = frames.first().map_or("", |frame| &frame.key.module);
        let mapping = self.mapping(module);
        let mut lines = Vec::with_capacity(frames.len());
        for frame in frames.iter().rev() {
            let function = self.function(&frame.key);
            lines.push(Line { function });
        }
        let locations = &mut self.proto.locations;
        let number = self.locations.of(&(mapping, lines.clone()), |number| {
            locations.push(Location {
                id: number as u64 + 1,
                mapping,
                lines,
            });
        });
        number as u64 + 1
    }

    fn label(&mut self, key: &str, text: &str) -> Label {
        Label {
            key: self.string(key),
            text: self.string(&visible(text)),
            number: 0,
        }
    }

    fn number(&mut self, key: &str, number: u32) -> Label {
        Label {
            key: self.string(key),
            text: 0,
            number: number.into(),
        }
    }
}

/// Writes the profile.
///
/// # Errors
///
/// The error of `out`.
pub fn write(profile: &Profile, out: impl Write) -> io::Result<()> {
    let mut out = GzEncoder::new(out, Compression::default());
    out.write_all(&proto(profile).encode_to_vec())?;
    out.finish()?.flush()
}

fn proto(profile: &Profile) -> Proto {
    let mut builder = Builder::new();
    // What nobody knows is no column of zeros.
    let energy = EnergyText::of(profile).known;
    if energy {
        let energy = builder.value_type("energy", "microjoules");
        builder.proto.sample_types.push(energy);
        builder.proto.default_sample_type = energy.kind;
    }
    let cpu = builder.value_type("cpu", "nanoseconds");
    let samples = builder.value_type("samples", "count");
    builder.proto.sample_types.extend([cpu, samples]);
    builder.proto.period_type = Some(cpu);
    let header = &profile.summary.header;
    builder.proto.period = match header.frequency_hz {
        0 => 0,
        hz => 1_000_000_000 / i64::from(hz),
    };
    builder.proto.time_nanos = signed(header.wall_clock_ns);
    builder.proto.duration_nanos = signed(profile.summary.duration.0);
    // The first mapping is taken for the program itself.
    let program = header.command.argv.first().map(Path::new);
    if let Some(program) = program.and_then(Path::file_name) {
        builder.mapping(&program.to_string_lossy());
    }
    for caveat in &profile.caveats {
        let comment = builder.string(&visible(&caveat.sentence));
        builder.proto.comments.push(comment);
    }
    for stack in stacks(profile) {
        let frames = &stack.row.frames;
        let inlined = |_: &SymbolFrame, next: &SymbolFrame| next.inlined;
        let mut locations: Vec<u64> = frames
            .chunk_by(inlined)
            .map(|frames| builder.location(frames))
            .collect();
        locations.reverse();
        if locations.is_empty() {
            let unsampled = SymbolFrame {
                key: Arc::new(FunctionKey {
                    function: UNSAMPLED.into(),
                    module: String::new(),
                }),
                inlined: false,
            };
            locations.push(builder.location(&[unsampled]));
        }
        let mut labels = Vec::new();
        if let Some((thread, process)) = stack.thread {
            if let Some(run) = profile.members.get(thread.process.member) {
                labels.push(builder.label("run", &run.name));
                labels.push(builder.label("host", &run.host));
                if let Some(rank) = run.labels.get("rank") {
                    labels.push(builder.label("rank", rank));
                }
            }
            labels.push(builder.label("process", process));
            labels.push(builder.number("pid", thread.process.pid));
            labels.push(builder.label("thread", &thread.comm));
            labels.push(builder.number("tid", thread.tid));
        }
        let joules = energy.then_some(stack.row.energy.with_idle.0);
        let others = [stack.row.cpu.0, stack.row.samples];
        builder.proto.samples.push(Sample {
            locations,
            values: joules.into_iter().chain(others).map(signed).collect(),
            labels,
        });
    }
    builder.proto
}
