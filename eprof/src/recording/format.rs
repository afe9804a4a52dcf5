//! The format of `eprof.data`, complete enough to write a reader from.
//!
//! All fixed-width integers are little-endian.
//!
//! # File
//!
//! | offset | bytes | what                                                     |
//! |-------:|------:|----------------------------------------------------------|
//! |      0 |     8 | magic: `45 50 52 4F 46 00 0D 0A` (`EPROF`, NUL, CR, LF)   |
//! |      8 |     4 | version of the format, a `u32`; this text describes 5    |
//! |     12 |     – | frames, one after the other, up to the end of the file   |
//!
//! (The magic has a NUL and a line end so that a transfer as text shows, as in
//! PNG.) A reader refuses a version that it does not know: a new record raises
//! the version, and nothing in a frame can be skipped but its samples as a
//! whole.
//!
//! # Frame
//!
//! | offset | bytes | what                                                       |
//! |-------:|------:|------------------------------------------------------------|
//! |      0 |     4 | `u32` R, length of the packed records, 1 to about 64 MiB   |
//! |      4 |     4 | `u32`, length of the records, 1 to 64 MiB                  |
//! |      8 |     4 | `u32` S, length of the packed samples, up to as much       |
//! |     12 |     4 | `u32`, length of the samples, up to 64 MiB                 |
//! |     16 |     4 | `u32` CRC-32 of the sixteen bytes before it and the parts  |
//! |     20 |     R | the records, packed                                        |
//! | 20 + R |     S | the samples, packed                                        |
//!
//! The CRC is the one of zlib and Ethernet (polynomial `EDB88320`, reflected).
//! Each part is packed by itself, by Zstandard (RFC 8878) without a dictionary;
//! one of no bytes is packed to none. The first part is a sequence of one or
//! more whole records, the second has the samples of the intervals among them:
//! who does not want these need not unpack them. A frame is
//! written when an interval is closed (earlier if a megabyte of records has
//! piled up), so a crash loses at most the last interval. A frame that is cut
//! short, or whose CRC or lengths are wrong, ends the recording: whatever
//! follows may depend on what it held. What precedes it stays valid.
//!
//! # Encoding of values
//!
//! Records are in the wire format of postcard 1
//! (<https://postcard.jamesmunns.com/wire-format>):
//!
//! * `u8`, `bool`: one byte. `u16`, `u32`, `u64`: varint, seven bits per byte,
//!   least significant first, the high bit set on all but the last byte.
//! * `i32`: varint of the zigzag value `(n << 1) ^ (n >> 31)`.
//! * `f64`: eight bytes, IEEE 754, little-endian.
//! * `string`: `u64` length in bytes, then UTF-8. `[T]`: `u64` number of items,
//!   then the items. `[T; n]`: the items. `{K: V}`: `u64` number of pairs, then
//!   key, value, key, value, ….
//! * `T?`: one byte, 0 for nothing or 1 followed by `T`.
//! * A structure: its fields in order. A choice: `u32` number of the
//!   alternative, counted from zero, then its fields.
//!
//! # Records
//!
//! A record is a choice; the number is in front. Energy is in the raw counts
//! of its meter, time in nanoseconds (`time` is a point on `CLOCK_MONOTONIC`,
//! `ns` a length; both are `u64`).
//!
//! ```text
//! 0 Header    eprof: string, object: string, wall_clock_ns: u64, started: time, host: string, kernel: string,
//!             cpu_model: string, argv: [string], directory: string, frequency_hz: u32, interval: ns,
//!             counters: [Counter], follow: string, meters: [Meter], zones: [Zone], baselines: [Baseline],
//!             models: [PowerModel], caveats: [Caveat]
//! 1 Task      id: u32, tid: u32, pid: u32, start: time, born: time, generation: u32, parent: u32?, comm: string
//! 2 Renamed   task: u32, at: time, comm: string
//! 3 Gone      task: u32, at: time
//! 4 Object    path: string, build_id: [u8]?
//! 5 Frame     choice: 0 User      object: u32, offset: u64, returns: bool
//!                     1 Kernel    address: u64, returns: bool
//!                     2 Unmapped  address: u64
//!                     3 Broken    choice: 0 complete, 1 truncated, 2 absent, 3 failed, 4 no-table, 5 unreadable,
//!                                     6 unsupported, 7 astray, 8 left-code, 9 copy-ended
//!                     4 Generated process: u32, address: u64, returns: bool
//! 6 Stack     parent: u32?, frame: u32
//! 7 Interval  begin: time, end: time, readings: [Reading], cpus: [CpuAccount], threads: [ThreadAccount],
//!             samples: u64
//! 8 Symbol    frame: u32, functions: [string]
//! 9 End       ended: time, exit_code: i32, signal: i32?, losses: {string: u64}, distrusted: [Counter], cpu: ns,
//!             peak_rss: u64, programs: [name: string, runs: u64, mean_ns: f64?], caveats: [Caveat]
//! 10 Lines    frame: u32, lines: [Line?]
//! 11 Segments object: u32, segments: [Segment]
//! 12 Labels   labels: {string: string}
//!
//! Line           file: string, number: u32
//! Segment        offset: u64, length: u64, address: u64
//! Meter          id: u16, kind: choice (perf, powercap, hwmon, battery, model), name: string,
//!                domain: choice (package, core, uncore, dram, psys), scope: Scope, cpus: [u32],
//!                quantity: Quantity, provenance: choice (measured, attributed, estimated), nested: bool,
//!                latch: ns, plausible_w: f64
//! Scope          choice: 0 machine, 1 package: u32, 2 die: (package: u32, die: u32), 3 core: (package: u32, core: u32)
//! Quantity       choice: 0 Counter  unit_uj: f64, modulus: u64?
//!                        1 Falling  unit_uj: f64
//!                        2 Power    unit_w: f64
//!                        3 Model    idle_w: f64, busy_w: f64, low: f64, high: f64
//! Zone           id: u16, cpus: [u32], core: string
//! Counter        choice: cycles, reference-cycles, instructions, cache-misses
//! Baseline       meter: u16, power_w: f64, sd_w: f64, origin: string
//! PowerModel     meter: u16, terms: [Term], covariance: [f64], residual: f64, origin: string
//! Term           signal: Signal, shape: Shape, weight: f64
//! Shape          choice: 0 linear, 1 ramp (from: f64, to: f64?)
//! Signal         choice: 0 time (core: string), 1 crowded, 2 count (Counter), 3 wakeups, 4 migrations
//! Caveat         code: string, sentence: string, hint: string?
//! Reading        meter: u16, raw: u64, begin: time, end: time, edge: (at: time, sd: ns)?
//! Signals        on_cpu: ns, crowded: ns, counts: [u64; 4], switches: u32, wakeups: u32, migrations: u32
//! CpuAccount     cpu: u32, kernel: Signals, other: Signals, eprof: Signals, target: Signals
//! ThreadAccount  task: u32, zone: u16, signals: Signals
//! ```
//!
//! What the fields mean is told at the types in [`super::record`],
//! [`crate::kernel`] and [`crate::source`].
//!
//! # Samples
//!
//! An Interval has but the number N of its samples, at most 4 Mi. They are in
//! the frame's second part, where those of one interval follow those of the
//! last, as columns, each in the order of the samples:
//!
//! ```text
//! Samples        groups: Group, Group, … until there are N samples, stacks: [u32; N],
//!                count: Column, spent: Column, counts: [Column; 4]
//! Group          task: u32, zone: u16, length: u64
//! Column         choice: 0 value: u64, of all; 1 values: [u64; N]
//! ```
//!
//! An interval without samples has none of that, not even columns. A group is
//! so many samples of one thread in one zone, one at least. A stack is a
//! difference, modulo 2³²: to the stack of the sample before, where that is of
//! the same thread and zone, else to zero. `count` is a `u32`, `spent` `ns`.
//!
//! # Rules
//!
//! The first record is the only Header, an End is the last; a recording
//! without End was cut off. Objects, frames and stacks are numbered from zero
//! in order of appearance, each kind by itself; meters, zones and tasks carry
//! the same number as `id`. Whatever a record refers to precedes it; a stack's
//! and a task's parent has the smaller number. Further, [`super::check`] holds
//! the bounds on every string, list, number and time. A frame whose CRC is
//! right but whose records break a rule was not written by eprof: it is
//! refused with an error, where mere damage only shortens the recording.

/// The first eight bytes.
pub const MAGIC: [u8; 8] = *b"EPROF\0\r\n";

/// The version of the format that this eprof writes and reads.
pub const VERSION: u32 = 5;

/// Length of what precedes the first frame, in bytes.
pub const PROLOGUE: u64 = 12;

/// Length of what precedes a frame's parts, in bytes.
pub const FRAME_HEAD: usize = 20;

/// Largest part of a frame, in bytes: bounds what a reader must hold.
pub const MAX_FRAME: usize = 64 << 20;

/// Largest packed part, in bytes. Zstandard adds at most 3 bytes per block of
/// 128 KiB (RFC 8878, 3.1.1.2) to what it cannot compress.
pub const MAX_PACKED: usize = MAX_FRAME + (64 << 10);

/// Most samples of an interval: bounds what a reader must hold, as columns of
/// equal values take no room. (256 CPUs, 10 kHz, 1.6 s.)
pub const MAX_SAMPLES: usize = 4 << 20;

/// How many bytes of records may pile up before a frame is written although
/// the interval is still open.
pub const FULL_FRAME: usize = 1 << 20;

/// How long a part of a frame is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// As it is in the file.
    pub packed: u32,
    /// Unpacked.
    pub plain: u32,
}

impl Part {
    /// The lengths of a part that was packed.
    pub fn new(packed: &[u8], plain: &[u8]) -> Self {
        let length = |of: &[u8]| u32::try_from(of.len()).unwrap_or(u32::MAX);
        Self {
            packed: length(packed),
            plain: length(plain),
        }
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn within_limits(self) -> bool {
        (1..=MAX_PACKED).contains(&(self.packed as usize))
            && (1..=MAX_FRAME).contains(&(self.plain as usize))
    }
}

/// What precedes a frame's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// The records.
    pub records: Part,
    /// The samples; may be empty.
    pub samples: Part,
    /// CRC-32 of the lengths and the packed parts.
    pub crc: u32,
}

impl FrameHead {
    /// Whether all lengths are within the format's limits.
    pub fn within_limits(self) -> bool {
        self.records.within_limits() && (self.samples.is_empty() || self.samples.within_limits())
    }

    /// The head of a frame with these `parts`, as it is in the file.
    pub fn encode(records: Part, samples: Part, parts: &[u8]) -> [u8; FRAME_HEAD] {
        let mut bytes = [0; FRAME_HEAD];
        let lengths = [records.packed, records.plain, samples.packed, samples.plain];
        let mut words = bytes.chunks_exact_mut(4);
        for (word, length) in words.by_ref().zip(lengths) {
            word.copy_from_slice(&length.to_le_bytes());
        }
        let crc = checksum(&bytes, parts);
        bytes[FRAME_HEAD - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The head from its bytes in the file.
    pub fn decode(bytes: &[u8; FRAME_HEAD]) -> Self {
        let (words, _) = bytes.as_chunks::<4>();
        let word = |at: usize| u32::from_le_bytes(words[at]);
        let part = |at: usize| Part {
            packed: word(at),
            plain: word(at + 1),
        };
        Self {
            records: part(0),
            samples: part(2),
            crc: word(4),
        }
    }
}

/// The CRC of a frame with these `parts`, of whose head all is known but that.
pub fn checksum(head: &[u8], parts: &[u8]) -> u32 {
    let (lengths, _) = head.split_at(head.len().saturating_sub(4));
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(lengths);
    hasher.update(parts);
    hasher.finalize()
}
