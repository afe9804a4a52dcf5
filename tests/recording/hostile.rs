//! No input whatever makes a reader panic, hang, or take more memory than the
//! input is worth.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use eprof::measurement::{Counter, Event, Signals};
use eprof::recording::format::{
    BLOCK_HEAD, BlockHead, MAGIC, MAX_BLOCK, MAX_SAMPLES, Part, VERSION, checksum,
};
use eprof::recording::{IntervalRecord, Reader, Record, Recording, SampleCount, Writer};

use super::sample;

/// Notes the largest block that a thread asks for.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    // Not during the thread's own end.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: all work is done by `System`, which keeps the contract.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the same contract.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller keeps the same contract.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// The largest block that `work` asked for.
pub(crate) fn largest<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    let result = work();
    (result, LARGEST.get())
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).unwrap()
}

/// A block whose CRC is right, whatever else is wrong: its packed parts, and
/// how long they are said to be.
fn block_of(records: (&[u8], u32), samples: (&[u8], u32)) -> Vec<u8> {
    let part = |(packed, plain): (&[u8], u32)| Part {
        compressed: packed.len() as u32,
        plain,
    };
    let parts = [records.0, samples.0].concat();
    let head = BlockHead::encode(0, part(records), part(samples), &parts);
    [head.as_slice(), &parts].concat()
}

/// The same without samples.
fn block(records: &[u8], plain: u32) -> Vec<u8> {
    block_of((records, plain), (&[], 0))
}

/// A recording that has these blocks. Each whose CRC is right by itself gets the one that
/// is right where it is.
pub(crate) fn file(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    let mut before = 0;
    for block in blocks {
        let mut block = block.clone();
        if let Some((head, parts)) = block.split_first_chunk_mut::<BLOCK_HEAD>() {
            let said = BlockHead::decode(head).crc;
            if said == checksum(0, head, parts) {
                before = checksum(before, head, parts);
                head[BLOCK_HEAD - 4..].copy_from_slice(&before.to_le_bytes());
            }
        }
        bytes.extend(block);
    }
    bytes
}

/// A recording that has one block of these records, encoded, and no samples.
fn forge_records(records: &[u8]) -> Vec<u8> {
    file(&[block(&pack(records), records.len() as u32)])
}

/// A recording that has one block of these records and samples, encoded.
fn forge_parts((records, samples): &(Vec<u8>, Vec<u8>)) -> Vec<u8> {
    if samples.is_empty() {
        return forge_records(records);
    }
    let packed = (pack(records), pack(samples));
    let (of_records, of_samples) = (records.len() as u32, samples.len() as u32);
    file(&[block_of((&packed.0, of_records), (&packed.1, of_samples))])
}

/// A varint.
fn varint(value: u64) -> Vec<u8> {
    postcard::to_stdvec(&value).unwrap()
}

/// What the header of [`sample`](super::sample) lists.
const EVENTS: [Event; 6] = [
    Event::SmtShared,
    Event::Counter(Counter::Cycles),
    Event::Counter(Counter::CacheMisses),
    Event::Switches,
    Event::Wakeups,
    Event::Migrations,
];

/// Records and samples as they may be in a block, each sample a group of its
/// own, and each value by itself.
fn parts(records: &[Record]) -> (Vec<u8>, Vec<u8>) {
    let (mut bytes, mut columns) = (Vec::new(), Vec::new());
    for record in records {
        let Record::Interval(interval) = record else {
            bytes.extend(postcard::to_stdvec(record).unwrap());
            continue;
        };
        let IntervalRecord {
            begin,
            end,
            readings,
            cpus,
            threads,
            samples,
        } = interval;
        bytes.push(7);
        bytes.extend(postcard::to_stdvec(&(begin, end, readings)).unwrap());
        let mut add = |number: u64| bytes.extend(varint(number));
        let signals = |of: &Signals| -> Vec<u64> {
            let numbers = EVENTS.into_iter().map(|event| of[event]);
            [of.on_cpu.0].into_iter().chain(numbers).collect()
        };
        add(cpus.len() as u64);
        for of in cpus {
            add(of.cpu.into());
            let classes = [&of.kernel, &of.other, &of.eprof, &of.target];
            classes.into_iter().flat_map(signals).for_each(&mut add);
        }
        add(threads.len() as u64);
        for of in threads {
            add(of.task.0.into());
            add(of.group.0.into());
            signals(&of.signals).into_iter().for_each(&mut add);
        }
        add(samples.len() as u64);
        for of in samples {
            columns.extend(postcard::to_stdvec(&(of.task, of.group, 1_u64)).unwrap());
        }
        let mut before = None;
        for of in samples {
            let last = before.filter(|(who, _)| *who == (of.task, of.group));
            let last = last.map_or(0, |(_, stack)| stack);
            columns.extend(varint(of.stack.0.wrapping_sub(last).into()));
            before = Some(((of.task, of.group), of.stack.0));
        }
        let mut column = |value: &dyn Fn(&SampleCount) -> u64| {
            if !samples.is_empty() {
                columns.push(1);
            }
            columns.extend(samples.iter().flat_map(|of| varint(value(of))));
        };
        column(&|of| of.count.into());
        column(&|of| of.spent.0);
        for counter in [Counter::Cycles, Counter::CacheMisses] {
            column(&|of| of.counts[counter as usize]);
        }
    }
    (bytes, columns)
}

/// A recording that has one block of these records.
pub(crate) fn forge(records: &[Record]) -> Vec<u8> {
    forge_parts(&parts(records))
}

/// Records that are no interval.
fn encoded(records: &[Record]) -> Vec<u8> {
    parts(records).0
}

fn load(bytes: &[u8]) -> Result<Recording, eprof::error::Error> {
    Recording::load(bytes, Some(bytes.len() as u64))
}

/// SplitMix64 (Steele, Lea and Flood 2014): a seed gives the same numbers for
/// ever.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// One random change of `bytes`.
pub(crate) fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let mut below = |limit: usize| rng.next() as usize % limit.max(1);
    let length = bytes.len();
    match below(6) {
        0 if length > 0 => bytes[below(length)] ^= 1 << below(8),
        1 if length > 0 => bytes[below(length)] = [0, 1, 0x7f, 0x80, 0xff][below(5)],
        2 => bytes.truncate(below(length + 1)),
        3 => {
            // A piece again, elsewhere.
            let from = below(length + 1);
            let to = from + below(length - from + 1);
            let piece = bytes[from..to].to_vec();
            let at = below(length + 1);
            bytes.splice(at..at, piece);
        }
        4 => {
            let from = below(length + 1);
            let to = from + below((length - from).min(40) + 1);
            bytes.drain(from..to);
        }
        _ => {
            let at = below(length + 1);
            let noise: Vec<u8> = (0..below(20)).map(|_| below(256) as u8).collect();
            bytes.splice(at..at, noise);
        }
    }
}

/// Whatever loads keeps the rules, so that it can be written again.
fn assert_sound(bytes: &[u8]) {
    let Ok(reader) = Reader::new(bytes, Some(bytes.len() as u64)) else {
        return;
    };
    let mut writer = Writer::new(std::io::sink()).unwrap();
    for record in reader {
        match record {
            Ok(record) => writer.push(&record).unwrap(),
            Err(error) => assert!(error.to_string().contains("byte"), "{error}"),
        }
    }
}

#[test]
fn a_mutated_recording_loses_its_tail_or_is_refused() {
    let bytes = sample::write(&sample::records()).bytes();
    let whole = load(&bytes).unwrap();
    for seed in 0..6_000 {
        let mut rng = Rng(seed);
        let mut mutated = bytes.clone();
        for _ in 0..=seed % 4 {
            mutate(&mut mutated, &mut rng);
        }
        match load(&mutated) {
            Ok(loaded) => {
                // The CRC lets nothing through that was not written.
                assert_eq!(loaded.catalog.header, whole.catalog.header, "seed {seed}");
                assert!(
                    whole.intervals.starts_with(&loaded.intervals),
                    "seed {seed}"
                );
                let silent = loaded.catalog.caveats.is_empty();
                assert_eq!(silent, mutated == bytes, "seed {seed}");
            }
            Err(error) => assert_eq!(error.kind(), eprof::error::ErrorKind::Data),
        }
        assert_sound(&mutated);
    }
}

#[test]
fn mutated_records_under_a_right_checksum_are_refused_or_keep_the_rules() {
    let whole = parts(&sample::records());
    assert!(load(&forge_parts(&whole)).is_ok());
    let mut refused = [0, 0];
    for seed in 0..6_000 {
        let mut rng = Rng(seed);
        let mut mutated = whole.clone();
        let of_samples = seed % 2 == 1;
        for _ in 0..=seed / 2 % 4 {
            let part = if of_samples {
                &mut mutated.1
            } else {
                &mut mutated.0
            };
            mutate(part, &mut rng);
        }
        let forged = forge_parts(&mutated);
        refused[usize::from(of_samples)] += u32::from(load(&forged).is_err());
        assert_sound(&forged);
    }
    // Otherwise this test would look at nothing but damage.
    assert!(
        refused.iter().all(|of| (500..3_000).contains(of)),
        "{refused:?}"
    );
}

#[test]
fn garbage_is_refused() {
    for seed in 0..3_000 {
        let mut rng = Rng(seed);
        let length = rng.next() % 300;
        let garbage: Vec<u8> = (0..length).map(|_| rng.next() as u8).collect();
        assert!(load(&garbage).is_err());
        // Garbage in place of blocks, and in place of records.
        assert!(load(&file(std::slice::from_ref(&garbage))).is_err());
        assert_sound(&forge_records(&garbage));
        let header = encoded(&sample::records()[..1]);
        assert_sound(&forge_records(&[header, garbage].concat()));
    }
}

#[test]
fn a_length_alone_allocates_nothing() {
    // Gigabytes announced, twenty bytes there.
    let mut claims = file(&[]);
    for _ in 0..4 {
        claims.extend_from_slice(&(64_u32 << 20).to_le_bytes());
    }
    claims.extend_from_slice(&[0; 4]);
    let (result, largest_block) = largest(|| load(&claims).map(drop));
    assert!(result.is_err());
    assert!(largest_block < 1 << 20, "{largest_block}");

    // A record that announces 2^60 arguments, strings, samples.
    for prefix in [
        encoded(&sample::records()[..1])[..1].to_vec(),
        [encoded(&sample::records()[..1]), vec![7, 0, 0, 0, 0, 0]].concat(),
    ] {
        let huge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
        let forged = forge_records(&[prefix, huge.to_vec()].concat());
        let (result, largest_block) = largest(|| load(&forged).map(drop));
        assert!(result.is_err());
        assert!(largest_block < 4 << 20, "{largest_block}");
    }
}

#[test]
fn columns_of_equal_values_are_bounded() {
    // Sixty million samples of one thread that are all alike, in few bytes.
    let header = [sample::records()[0].clone(), sample::records()[2].clone()];
    for (samples, sound) in [(60_000_000, false), (MAX_SAMPLES as u64, true)] {
        let interval = [7, 0, 0, 0, 0, 0];
        let records = [encoded(&header), interval.to_vec(), varint(samples)].concat();
        let mut columns = [vec![0, 0], varint(samples)].concat();
        // All stacks are stack 0, which is not there, and so not accepted in
        // the end.
        columns.resize(columns.len() + samples as usize, 0);
        columns.extend([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let bytes = forge_parts(&(records, columns));
        assert!(bytes.len() < 1 << 20);
        let (result, largest_block) = largest(|| load(&bytes).map(drop));
        let error = result.unwrap_err().to_string();
        assert_eq!(error.contains("stack 0"), sound, "{error}");
        assert!(largest_block < 300 << 20, "{largest_block}");
    }
}

#[test]
fn samples_of_no_interval_are_refused() {
    let (records, mut samples) = parts(&sample::records());
    samples.push(0);
    let error = load(&forge_parts(&(records.clone(), samples.clone()))).unwrap_err();
    assert!(error.to_string().contains("samples"), "{error}");
    // And an interval whose samples are missing.
    samples.truncate(samples.len() - 2);
    let error = load(&forge_parts(&(records, samples))).unwrap_err();
    assert!(error.to_string().contains("samples"), "{error}");
}

#[test]
fn a_bomb_does_not_go_off() {
    // A thousandfold: 64 KB of payload, a byte more than a block may hold.
    let payload = pack(&vec![0; MAX_BLOCK + 1]);
    assert!(payload.len() < 1 << 20);
    let header = block(
        &pack(&encoded(&sample::records()[..1])),
        encoded(&sample::records()[..1]).len() as u32,
    );
    for inflated in [1, 1 << 10, MAX_BLOCK as u32, MAX_BLOCK as u32 + 1, u32::MAX] {
        let bytes = file(&[header.clone(), block(&payload, inflated)]);
        let (result, largest_block) = largest(|| load(&bytes));
        assert_eq!(result.unwrap().catalog.caveats[0].code, "recording-damaged");
        assert!(
            largest_block <= 2 * MAX_BLOCK,
            "{inflated}: {largest_block}"
        );
        if inflated <= 1 << 10 {
            assert!(largest_block < 4 << 20, "{inflated}: {largest_block}");
        }
    }
}

#[test]
fn lists_of_empty_strings_are_bounded() {
    // 60 million empty arguments would take 1.4 GB.
    let header = encoded(&sample::records()[..1]);
    let argv = header
        .windows(6)
        .position(|window| window == b"\x04\x04make")
        .unwrap();
    let mut forged = header[..argv].to_vec();
    forged.extend_from_slice(&[0x80, 0x8e, 0xce, 0x1c]); // 60,000,000
    forged.resize(forged.len() + 60_000_000, 0);
    forged.extend_from_slice(&header[argv + 1..]);
    let bytes = forge_records(&forged);
    assert!(bytes.len() < 1 << 20);
    let (result, largest_block) = largest(|| load(&bytes).map(drop));
    assert!(result.is_err());
    assert!(largest_block < 512 << 20, "{largest_block}");
}

#[test]
fn a_block_of_nothing_is_damage() {
    let header = encoded(&sample::records()[..1]);
    let header = block(&pack(&header), header.len() as u32);
    for empty in [block(&pack(b""), 0), block(b"", 0), block(b"", 1)] {
        let loaded = load(&file(&[header.clone(), empty])).unwrap();
        assert_eq!(loaded.catalog.caveats[0].code, "recording-damaged");
    }
}

#[test]
fn a_payload_that_goes_on_after_its_stream_is_damage() {
    let header = encoded(&sample::records()[..1]);
    let header = block(&pack(&header), header.len() as u32);
    // One without samples.
    let interval = encoded(&sample::records()[1..2]);
    let mut payload = pack(&interval);
    let sound = file(&[header.clone(), block(&payload, interval.len() as u32)]);
    assert_eq!(load(&sound).unwrap().intervals.len(), 1);
    payload.push(0);
    let loaded = load(&file(&[header, block(&payload, interval.len() as u32)])).unwrap();
    assert_eq!(loaded.catalog.caveats[0].code, "recording-damaged");
    assert!(loaded.intervals.is_empty());
}
