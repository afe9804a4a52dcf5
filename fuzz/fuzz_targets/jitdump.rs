//! A jitdump: what is found in it is what a simple reading of its records finds.

#![no_main]

use std::collections::HashMap;
use std::fs::File;

use eprof::symbol::fuzzing;
use eprof_fuzz::{limits, scratch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| limits::bounded(|| check(data)));

fn check(data: &[u8]) {
    let entries = entries(data);
    let ends = |&(start, size, _): &(u64, u64, String)| {
        let end = start.saturating_add(size);
        [start, start.wrapping_sub(1), end, end.wrapping_sub(1)]
    };
    let mut addresses: Vec<u64> = entries.iter().take(64).flat_map(ends).collect();
    addresses.extend([0, 1, u64::MAX]);
    let dump = File::open(scratch::file("jit-1.dump", data)).unwrap();
    let (names, whole) = fuzzing::jitdump(&dump, &addresses).unwrap();
    assert!(whole);
    for (address, name) in addresses.iter().zip(names) {
        let over = entries
            .iter()
            .rev()
            .find(|&&(start, size, _)| start <= *address && *address < start.saturating_add(size));
        assert_eq!(name.as_ref(), over.map(|(_, _, name)| name), "{address:#x}");
    }
}

/// Start, length and name of all functions that were loaded or moved, as the
/// specification has them.
fn entries(data: &[u8]) -> Vec<(u64, u64, String)> {
    let mut entries = Vec::new();
    let Some(magic) = data.first_chunk::<4>() else {
        return entries;
    };
    let big = match magic {
        b"JiTD" => true,
        b"DTiJ" => false,
        _ => return entries,
    };
    let word = |at: usize| {
        let bytes = *data.get(at..)?.first_chunk()?;
        Some(if big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    };
    let long = |at: usize| {
        let bytes = *data.get(at..)?.first_chunk()?;
        Some(if big {
            u64::from_be_bytes(bytes)
        } else {
            u64::from_le_bytes(bytes)
        })
    };
    // Names end at a zero byte, at the record's end where they are loaded, or are too long.
    let name = |from: usize, to: usize| {
        let bytes = data.get(from..to.min(data.len()))?;
        let bytes = bytes.split(|&byte| byte == 0).next()?;
        let name = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    };
    let mut numbered = HashMap::new();
    let mut at = word(8).unwrap_or(u32::MAX) as usize;
    while let (Some(kind), Some(size)) = (word(at), word(at + 4)) {
        let end = at + size as usize;
        if size < 16 {
            break;
        }
        // A field counts only if it is in the record.
        let field = |place: usize| long(at + place).filter(|_| at + place + 8 <= end);
        let found = match kind {
            0 => (|| {
                let (start, length, number) = (field(32)?, field(40)?, field(48)?);
                numbered.insert(number, at + 56);
                Some((start, length, name(at + 56, end)?))
            })(),
            1 => (|| {
                let (start, length, number) = (field(40)?, field(48)?, field(56)?);
                let from = *numbered.get(&number)?;
                Some((start, length, name(from, from + 4097)?))
            })(),
            _ => None,
        };
        entries.extend(found);
        at = end;
    }
    entries
}
