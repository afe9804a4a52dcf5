//! Intervals apart from their samples: most of a recording is samples, and not
//! every reader wants them.

use serde::{Deserialize, Serialize};

use super::record::{IntervalRecord, Record};
use crate::measurement::{COUNTERS, CpuAccount, Reading, ThreadAccount};
use crate::unit::Timestamp;

/// The number of the Interval record.
pub(super) const INTERVAL: u8 = 7;

/// The fields of an [`IntervalRecord`] that precede its samples.
#[derive(Deserialize)]
struct Head {
    begin: Timestamp,
    end: Timestamp,
    readings: Vec<Reading>,
    cpus: Vec<CpuAccount>,
    threads: Vec<ThreadAccount>,
    samples: u64,
}

/// The same, of an interval that somebody else has.
#[derive(Serialize)]
struct HeadOf<'a> {
    record: u8,
    begin: Timestamp,
    end: Timestamp,
    readings: &'a [Reading],
    cpus: &'a [CpuAccount],
    threads: &'a [ThreadAccount],
    samples: u64,
}

/// Adds an interval to the end of `out`, with the number of its samples in
/// place of them.
pub(super) fn encode(interval: &IntervalRecord, out: &mut Vec<u8>) -> postcard::Result<()> {
    let head = HeadOf {
        record: INTERVAL,
        begin: interval.begin,
        end: interval.end,
        readings: &interval.readings,
        cpus: &interval.cpus,
        threads: &interval.threads,
        samples: interval.samples.len() as u64,
    };
    postcard::to_io(&head, out).map(drop)
}

/// A record whose samples, if it has some, are elsewhere.
pub(super) struct IntervalHeader<'a> {
    pub(super) record: Record,
    /// How many samples it has.
    pub(super) samples: u64,
    /// What comes after it.
    pub(super) rest: &'a [u8],
}

/// Decodes an interval up to the number of its samples, from what follows the
/// number of its kind.
pub(super) fn decode(bytes: &[u8]) -> postcard::Result<IntervalHeader<'_>> {
    let (head, rest) = postcard::take_from_bytes::<Head>(bytes)?;
    let interval = IntervalRecord {
        begin: head.begin,
        end: head.end,
        readings: head.readings,
        cpus: head.cpus,
        threads: head.threads,
        samples: Vec::new(),
    };
    Ok(IntervalHeader {
        record: Record::Interval(interval),
        samples: head.samples,
        rest,
    })
}

/// Before version 5, a sample was so many varints behind their number: task,
/// zone, stack, count, spent, counts.
const VARINTS: usize = 5 + COUNTERS;

/// The same where they follow, which are stepped over.
pub(super) fn decode_stepping(bytes: &[u8]) -> postcard::Result<IntervalHeader<'_>> {
    let IntervalHeader {
        record,
        samples,
        rest,
    } = decode(bytes)?;
    let rest = usize::try_from(samples)
        .ok()
        .and_then(|samples| samples.checked_mul(VARINTS))
        .and_then(|varints| after(rest, varints))
        .ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
    Ok(IntervalHeader {
        record,
        samples: 0,
        rest,
    })
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
