//! A perf map: what is found in it is what a simple reading of its lines finds.

#![no_main]

use eprof::symbol::fuzzing;
use eprof_fuzz::limits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| limits::bounded(|| check(data)));

fn check(data: &[u8]) {
    let entries: Vec<_> = data
        .split(|&byte| byte == b'\n')
        .filter_map(entry)
        .collect();
    let ends = |&(start, size, _): &(u64, u64, String)| {
        let end = start.saturating_add(size);
        [start, start.wrapping_sub(1), end, end.wrapping_sub(1)]
    };
    let mut addresses: Vec<u64> = entries.iter().take(64).flat_map(ends).collect();
    addresses.extend([0, 1, u64::MAX]);
    let (names, whole) = fuzzing::perf_map(data, &addresses).unwrap();
    assert!(whole);
    for (address, name) in addresses.iter().zip(names) {
        // The last one over an address names it.
        let over = entries
            .iter()
            .rev()
            .find(|&&(start, size, _)| start <= *address && *address < start.saturating_add(size));
        assert_eq!(name.as_ref(), over.map(|(_, _, name)| name), "{address:#x}");
    }
}

/// Start, size and name of a line that has them.
fn entry(line: &[u8]) -> Option<(u64, u64, String)> {
    let line = &line[..line.len().min(64 + 4096)];
    let space = line.iter().position(|&byte| byte == b' ')?;
    let (start, rest) = (&line[..space], &line[space + 1..]);
    let space = rest.iter().position(|&byte| byte == b' ')?;
    let (size, name) = (&rest[..space], &rest[space + 1..]);
    let name = String::from_utf8_lossy(&name[..name.len().min(4096)]);
    let name = name.trim();
    let entry = (number(start)?, number(size)?, name.to_owned());
    (!name.is_empty()).then_some(entry)
}

/// A number of hexadecimal digits.
fn number(digits: &[u8]) -> Option<u64> {
    let digits = digits.strip_prefix(b"0x").unwrap_or(digits);
    let value = digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        value.checked_mul(16)?.checked_add(digit.into())
    });
    value.filter(|_| !digits.is_empty())
}
