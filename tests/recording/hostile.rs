//! No input whatever makes a reader panic, hang, or take more memory than the
//! input is worth.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;

use eprof::recording::format::{FrameHead, MAGIC, MAX_FRAME, VERSION};
use eprof::recording::{Reader, Record, Recording, Writer};
use flate2::Compression;
use flate2::write::DeflateEncoder;

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
fn largest<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    let result = work();
    (result, LARGEST.get())
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A frame whose CRC is right, whatever else is wrong.
fn frame(payload: &[u8], inflated: u32) -> Vec<u8> {
    let mut bytes = FrameHead::new(payload, inflated).encode().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

/// A recording that has these frames.
pub(crate) fn file(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend(frames.concat());
    bytes
}

/// A recording that has one frame of these records, encoded.
pub(crate) fn forge(records: &[u8]) -> Vec<u8> {
    file(&[frame(&deflate(records), records.len() as u32)])
}

fn encoded(records: &[Record]) -> Vec<u8> {
    records
        .iter()
        .flat_map(|record| postcard::to_stdvec(record).unwrap())
        .collect()
}

fn load(bytes: &[u8]) -> Result<Recording, eprof::error::Error> {
    Recording::load(bytes, Some(bytes.len() as u64))
}

/// SplitMix64 (Steele, Lea and Flood 2014): a seed gives the same numbers for
/// ever.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// One random change of `bytes`.
fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
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
    let records = encoded(&sample::records());
    let mut refused = 0;
    for seed in 0..6_000 {
        let mut rng = Rng(seed);
        let mut mutated = records.clone();
        for _ in 0..=seed % 4 {
            mutate(&mut mutated, &mut rng);
        }
        let forged = forge(&mutated);
        refused += u32::from(load(&forged).is_err());
        assert_sound(&forged);
    }
    // Otherwise this test would look at nothing but damage.
    assert!((1_000..6_000).contains(&refused), "{refused}");
}

#[test]
fn garbage_is_refused() {
    for seed in 0..3_000 {
        let mut rng = Rng(seed);
        let length = rng.next() % 300;
        let garbage: Vec<u8> = (0..length).map(|_| rng.next() as u8).collect();
        assert!(load(&garbage).is_err());
        // Garbage in place of frames, and in place of records.
        assert!(load(&file(std::slice::from_ref(&garbage))).is_err());
        assert_sound(&forge(&garbage));
        let header = encoded(&sample::records()[..1]);
        assert_sound(&forge(&[header, garbage].concat()));
    }
}

#[test]
fn a_length_alone_allocates_nothing() {
    // Four gigabytes announced, twelve bytes there.
    let mut claims = file(&[]);
    claims.extend_from_slice(&(64_u32 << 20).to_le_bytes());
    claims.extend_from_slice(&(64_u32 << 20).to_le_bytes());
    claims.extend_from_slice(&[0; 4]);
    let (result, block) = largest(|| load(&claims).map(drop));
    assert!(result.is_err());
    assert!(block < 1 << 20, "{block}");

    // A record that announces 2^60 arguments, strings, samples.
    for prefix in [
        encoded(&sample::records()[..1])[..1].to_vec(),
        [encoded(&sample::records()[..1]), vec![7, 0, 0, 0, 0, 0]].concat(),
    ] {
        let huge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
        let forged = forge(&[prefix, huge.to_vec()].concat());
        let (result, block) = largest(|| load(&forged).map(drop));
        assert!(result.is_err());
        assert!(block < 4 << 20, "{block}");
    }
}

#[test]
fn a_bomb_does_not_go_off() {
    // A thousandfold: 64 KB of payload, a byte more than a frame may hold.
    let payload = deflate(&vec![0; MAX_FRAME + 1]);
    assert!(payload.len() < 1 << 20);
    let header = frame(
        &deflate(&encoded(&sample::records()[..1])),
        encoded(&sample::records()[..1]).len() as u32,
    );
    for inflated in [1, 1 << 10, MAX_FRAME as u32, MAX_FRAME as u32 + 1, u32::MAX] {
        let bytes = file(&[header.clone(), frame(&payload, inflated)]);
        let (result, block) = largest(|| load(&bytes));
        assert_eq!(result.unwrap().catalog.caveats[0].code, "recording-damaged");
        assert!(block <= 2 * MAX_FRAME, "{inflated}: {block}");
        if inflated <= 1 << 10 {
            assert!(block < 4 << 20, "{inflated}: {block}");
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
    let bytes = forge(&forged);
    assert!(bytes.len() < 1 << 20);
    let (result, block) = largest(|| load(&bytes).map(drop));
    assert!(result.is_err());
    assert!(block < 512 << 20, "{block}");
}

#[test]
fn a_frame_of_nothing_is_damage() {
    let header = encoded(&sample::records()[..1]);
    let header = frame(&deflate(&header), header.len() as u32);
    for empty in [frame(&deflate(b""), 0), frame(b"", 0), frame(b"", 1)] {
        let loaded = load(&file(&[header.clone(), empty])).unwrap();
        assert_eq!(loaded.catalog.caveats[0].code, "recording-damaged");
    }
}

#[test]
fn a_payload_that_goes_on_after_its_stream_is_damage() {
    let header = encoded(&sample::records()[..1]);
    let header = frame(&deflate(&header), header.len() as u32);
    let interval = encoded(&sample::records()[1..2]);
    let mut payload = deflate(&interval);
    let sound = file(&[header.clone(), frame(&payload, interval.len() as u32)]);
    assert_eq!(load(&sound).unwrap().intervals.len(), 1);
    payload.push(0);
    let loaded = load(&file(&[header, frame(&payload, interval.len() as u32)])).unwrap();
    assert_eq!(loaded.catalog.caveats[0].code, "recording-damaged");
    assert!(loaded.intervals.is_empty());
}
