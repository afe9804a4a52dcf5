//! Intervals apart from their samples: most of a recording is samples, and not
//! every reader wants them.

use serde::{Deserialize, Serialize};

use super::record::{IntervalRecord, Record};
use crate::measurement::{CpuAccount, Reading, ThreadAccount};
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
