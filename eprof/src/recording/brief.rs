//! Intervals without their samples: most of a recording is samples, and not
//! every reader wants them.

use serde::Deserialize;

use super::record::{IntervalRecord, Record};
use crate::kernel::{COUNTERS, CpuAccount, ThreadAccount};
use crate::source::Reading;
use crate::unit::Timestamp;

/// The fields of an [`IntervalRecord`] that precede its samples.
#[derive(Deserialize)]
struct Head {
    begin: Timestamp,
    end: Timestamp,
    readings: Vec<Reading>,
    cpus: Vec<CpuAccount>,
    threads: Vec<ThreadAccount>,
}

/// A sample is so many varints: task, zone, stack, count, spent, counts.
const VARINTS: usize = 5 + COUNTERS;

/// Decodes an interval, from what follows the number of its kind, and steps
/// over its samples; gives what comes after it.
pub(super) fn interval(bytes: &[u8]) -> postcard::Result<(Record, &[u8])> {
    let (head, rest) = postcard::take_from_bytes::<Head>(bytes)?;
    let (samples, rest) = postcard::take_from_bytes::<u64>(rest)?;
    let rest = usize::try_from(samples)
        .ok()
        .and_then(|samples| samples.checked_mul(VARINTS))
        .and_then(|varints| after(rest, varints))
        .ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
    let Head {
        begin,
        end,
        readings,
        cpus,
        threads,
    } = head;
    let record = Record::Interval(IntervalRecord {
        begin,
        end,
        readings,
        cpus,
        threads,
        samples: Vec::new(),
    });
    Ok((record, rest))
}

/// What comes after so many varints; only the last byte of one has no high bit.
fn after(bytes: &[u8], mut varints: usize) -> Option<&[u8]> {
    let mut rest = bytes;
    // Whole blocks at a time, in a loop that compilers know to make wide.
    while let Some((block, others)) = rest.split_at_checked(64) {
        let ends = block.iter().map(|byte| u8::from(*byte < 0x80)).sum::<u8>();
        if usize::from(ends) >= varints {
            break;
        }
        varints -= usize::from(ends);
        rest = others;
    }
    for _ in 0..varints {
        let last = rest.iter().position(|byte| *byte < 0x80)?;
        rest = rest.get(last + 1..)?;
    }
    Some(rest)
}
