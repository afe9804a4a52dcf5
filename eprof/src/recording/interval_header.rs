//! Intervals apart from their samples: most of a recording is samples, and not
//! every reader wants them.

use serde::{Deserialize, Serialize};

use super::accounts;
use super::record::{IntervalRecord, Record};
use super::varint::{put, take};
use crate::measurement::{Event, Reading};
use crate::unit::Timestamp;

/// The number of the Interval record.
pub(super) const INTERVAL: u8 = 7;

/// The fields of an [`IntervalRecord`] that precede its accounts.
#[derive(Deserialize)]
struct Head {
    begin: Timestamp,
    end: Timestamp,
    readings: Vec<Reading>,
}

/// The same, of an interval that somebody else has.
#[derive(Serialize)]
struct HeadOf<'a> {
    record: u8,
    begin: Timestamp,
    end: Timestamp,
    readings: &'a [Reading],
}

/// Adds an interval to the end of `out`, whose accounts count these `events`,
/// with the number of its samples in place of them.
pub(super) fn encode(
    interval: &IntervalRecord,
    events: &[Event],
    out: &mut Vec<u8>,
) -> postcard::Result<()> {
    let IntervalRecord {
        begin,
        end,
        readings,
        cpus,
        threads,
        samples,
    } = interval;
    let head = HeadOf {
        record: INTERVAL,
        begin: *begin,
        end: *end,
        readings,
    };
    postcard::to_io(&head, &mut *out)?;
    accounts::encode_cpus(cpus, events, out);
    accounts::encode_threads(threads, events, out);
    put(out, samples.len() as u64);
    Ok(())
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
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    events: &[Event],
) -> postcard::Result<IntervalHeader<'a>> {
    let (head, mut rest) = postcard::take_from_bytes::<Head>(bytes)?;
    let cut = || postcard::Error::DeserializeUnexpectedEnd;
    let interval = IntervalRecord {
        begin: head.begin,
        end: head.end,
        readings: head.readings,
        cpus: accounts::decode_cpus(&mut rest, events).ok_or_else(cut)?,
        threads: accounts::decode_threads(&mut rest, events).ok_or_else(cut)?,
        samples: Vec::new(),
    };
    Ok(IntervalHeader {
        record: Record::Interval(interval),
        samples: take(&mut rest).ok_or_else(cut)?,
        rest,
    })
}
