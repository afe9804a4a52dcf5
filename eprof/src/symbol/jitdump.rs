//! Jitdump: what run-time compilers write to `jit-PID.dump` (Linux,
//! tools/perf/Documentation/jitdump-specification.txt). Functions are loaded
//! and moved; the code itself, its lines and its unwinding are passed over.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::ranges::{MAX_NAME, Wanted, name};

/// `JITHEADER_MAGIC`, in the byte order of the machine that wrote.
const MAGIC: u32 = 0x4A69_5444;

/// `JIT_CODE_LOAD` and `JIT_CODE_MOVE` (`enum jit_record_type`).
const CODE_LOAD: u32 = 0;
const CODE_MOVE: u32 = 1;

/// Length of the head of a record: id, total_size, timestamp.
const HEAD: u64 = 16;

/// Length of the body of a load record before its name: pid, tid, vma,
/// code_addr, code_size, code_index.
const LOAD: usize = 40;

/// Length of the body of a move record: pid, tid, vma, old_code_addr,
/// new_code_addr, code_size, code_index.
const MOVE: usize = 48;

/// How many records are read at most.
const MOST_RECORDS: u64 = 1 << 23;

/// How many functions are known by number at most, for when they are moved.
const MOST_NUMBERED: usize = 1 << 20;

/// Bytes with the byte order of the file.
struct Fields {
    swapped: bool,
}

impl Fields {
    fn u32(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let word = u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
        Some(if self.swapped {
            word.swap_bytes()
        } else {
            word
        })
    }

    fn u64(&self, bytes: &[u8], at: usize) -> Option<u64> {
        let word = u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
        Some(if self.swapped {
            word.swap_bytes()
        } else {
            word
        })
    }
}

/// Looks up what is `wanted` in the dump `file`. A dump that was cut off, or
/// is none, is read as far as it goes. `false`: there was more of it than is
/// read.
///
/// # Errors
///
/// What `file` said.
pub(super) fn look_up(file: &File, wanted: &mut Wanted) -> io::Result<bool> {
    let mut bytes = vec![0; HEAD as usize + LOAD + MAX_NAME + 1];
    let head = read_at(file, &mut bytes, 0)?;
    let mut fields = Fields { swapped: false };
    fields.swapped = match fields.u32(head, 0) {
        Some(MAGIC) => false,
        Some(word) if word.swap_bytes() == MAGIC => true,
        _ => return Ok(true),
    };
    // magic, version, total_size: the records begin behind the header.
    let Some(mut at) = fields.u32(head, 8).map(u64::from) else {
        return Ok(true);
    };
    let mut numbered: HashMap<u64, u64> = HashMap::new();
    for _ in 0..MOST_RECORDS {
        let record = read_at(file, &mut bytes, at)?;
        let (Some(id), Some(size)) = (fields.u32(record, 0), fields.u32(record, 4)) else {
            return Ok(true);
        };
        let size = u64::from(size);
        if size < HEAD {
            return Ok(true);
        }
        let whole = usize::try_from(size)
            .unwrap_or(usize::MAX)
            .min(record.len());
        let body = record.get(HEAD as usize..whole).unwrap_or_default();
        let more = match id {
            CODE_LOAD => load(&fields, body, at, wanted, &mut numbered),
            CODE_MOVE => moved(&fields, body, file, wanted, &numbered)?,
            _ => Some(true),
        };
        if more == Some(false) {
            return Ok(false);
        }
        at = at.saturating_add(size);
    }
    Ok(false)
}

/// A function was compiled. `None`: the record is too short.
fn load(
    fields: &Fields,
    body: &[u8],
    at: u64,
    wanted: &mut Wanted,
    numbered: &mut HashMap<u64, u64>,
) -> Option<bool> {
    let (address, length) = (fields.u64(body, 16)?, fields.u64(body, 24)?);
    let number = fields.u64(body, 32)?;
    if numbered.len() < MOST_NUMBERED {
        numbered.insert(number, at + HEAD + LOAD as u64);
    }
    let text = body.get(LOAD..)?;
    Some(wanted.cover(address, length, || name(until_nul(text))))
}

/// A function was moved. `None`: the record is too short.
fn moved(
    fields: &Fields,
    body: &[u8],
    file: &File,
    wanted: &mut Wanted,
    numbered: &HashMap<u64, u64>,
) -> io::Result<Option<bool>> {
    let body = body.get(..MOVE).unwrap_or_default();
    let place = (
        fields.u64(body, 24),
        fields.u64(body, 32),
        fields.u64(body, 40),
    );
    let (Some(address), Some(length), Some(number)) = place else {
        return Ok(None);
    };
    let Some(&at) = numbered.get(&number) else {
        return Ok(Some(true));
    };
    let mut failed = None;
    let more = wanted.cover(address, length, || {
        let mut text = vec![0; MAX_NAME + 1];
        match read_at(file, &mut text, at) {
            Ok(text) => name(until_nul(text)),
            Err(error) => {
                failed = Some(error);
                None
            }
        }
    });
    failed.map_or(Ok(Some(more)), Err)
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// What is at `at`, as much as there is and fits.
fn read_at<'b>(file: &File, bytes: &'b mut [u8], at: u64) -> io::Result<&'b [u8]> {
    let mut filled = 0;
    while filled < bytes.len() {
        let Some(at) = at.checked_add(filled as u64).filter(|&at| at < 1 << 62) else {
            break;
        };
        match file.read_at(&mut bytes[filled..], at) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(&bytes[..filled])
}

#[cfg(test)]
#[path = "jitdump_tests.rs"]
mod tests;
