//! Decoding stack samples. Total: no bytes make it panic.

use eprof_common::{COUNTERS, SampleHeader, sample::MAX_FRAMES};
use std::mem::offset_of;

use super::event::StackEnd;
use crate::unit::{Nanos, Timestamp};

/// A decoded sample, whose thread is still a serial number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RawSample {
    pub(super) at: Timestamp,
    pub(super) serial: u64,
    pub(super) cpu: u32,
    pub(super) spent: Nanos,
    pub(super) counts: [u64; COUNTERS],
    pub(super) kernel: Vec<u64>,
    pub(super) kernel_end: StackEnd,
    pub(super) user: Vec<u64>,
    pub(super) user_end: StackEnd,
}

/// Decodes one record of the ring; `None` where its lengths do not fit (the
/// ring rounds records up, so that bytes may follow).
pub(super) fn decode(record: &[u8]) -> Option<RawSample> {
    let (header, frames) = record.split_at_checked(size_of::<SampleHeader>())?;
    let kernel_bytes = i32_at(header, offset_of!(SampleHeader, kernel_bytes))?;
    let user_bytes = i32_at(header, offset_of!(SampleHeader, user_bytes))?;
    let (kernel, kernel_end, rest) = stack(frames, kernel_bytes)?;
    let (user, user_end, _) = stack(rest, user_bytes)?;
    let mut counts = [0; COUNTERS];
    for (counter, count) in counts.iter_mut().enumerate() {
        *count = u64_at(header, offset_of!(SampleHeader, counts) + counter * 8)?;
    }
    Some(RawSample {
        at: Timestamp(u64_at(header, offset_of!(SampleHeader, at))?),
        serial: u64_at(header, offset_of!(SampleHeader, serial))?,
        cpu: u32::from_ne_bytes(bytes_at(header, offset_of!(SampleHeader, cpu))?),
        spent: Nanos(u64_at(header, offset_of!(SampleHeader, spent))?),
        counts,
        kernel,
        kernel_end,
        user,
        user_end,
    })
}

/// A stack whose walk answered `result`, and what follows it.
fn stack(frames: &[u8], result: i32) -> Option<(Vec<u64>, StackEnd, &[u8])> {
    let Ok(bytes) = usize::try_from(result) else {
        return Some((Vec::new(), StackEnd::Failed, frames));
    };
    let (stack, rest) = frames.split_at_checked(bytes)?;
    let (addresses, odd) = stack.as_chunks::<8>();
    if !odd.is_empty() {
        return None;
    }
    let end = match addresses.len() {
        0 => StackEnd::Absent,
        n if n >= MAX_FRAMES => StackEnd::Truncated,
        _ => StackEnd::Complete,
    };
    let addresses = addresses.iter().map(|bytes| u64::from_ne_bytes(*bytes));
    Some((addresses.collect(), end, rest))
}

fn bytes_at<const N: usize>(data: &[u8], offset: usize) -> Option<[u8; N]> {
    data.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

fn i32_at(data: &[u8], offset: usize) -> Option<i32> {
    bytes_at(data, offset).map(i32::from_ne_bytes)
}

fn u64_at(data: &[u8], offset: usize) -> Option<u64> {
    bytes_at(data, offset).map(u64::from_ne_bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kernel_bytes: i32, user_bytes: i32, frames: &[u64]) -> Vec<u8> {
        let mut record = Vec::new();
        record.extend(7_u64.to_ne_bytes());
        record.extend(42_u64.to_ne_bytes());
        for word in [100, 99, 3, kernel_bytes, user_bytes, 0] {
            record.extend(word.to_ne_bytes());
        }
        for word in [11_u64, 21, 22, 23, 24] {
            record.extend(word.to_ne_bytes());
        }
        assert_eq!(record.len(), size_of::<SampleHeader>());
        record.extend(frames.iter().flat_map(|frame| frame.to_ne_bytes()));
        record
    }

    #[test]
    fn both_stacks_are_taken_apart() {
        let sample = decode(&record(16, 8, &[1, 2, 3])).unwrap();
        assert_eq!(
            (sample.at, sample.serial, sample.cpu),
            (Timestamp(7), 42, 3)
        );
        assert_eq!((sample.spent, sample.counts), (Nanos(11), [21, 22, 23, 24]));
        assert_eq!(
            (sample.kernel, sample.kernel_end),
            (vec![1, 2], StackEnd::Complete)
        );
        assert_eq!(
            (sample.user, sample.user_end),
            (vec![3], StackEnd::Complete)
        );
    }

    #[test]
    fn ends_are_told_apart() {
        let sample = decode(&record(0, -14, &[])).unwrap();
        assert_eq!(sample.kernel_end, StackEnd::Absent);
        assert_eq!(sample.user_end, StackEnd::Failed);
        let full = decode(&record(0, 127 * 8, &[9; 127])).unwrap();
        assert_eq!(full.user_end, StackEnd::Truncated);
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        assert_eq!(decode(&record(16, 8, &[1, 2])), None);
        assert_eq!(decode(&record(7, 0, &[1])), None);
        assert_eq!(decode(&[0; size_of::<SampleHeader>() - 1]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(noise: Vec<u8>, kernel: i32, user: i32, frames: Vec<u64>) {
            decode(&noise);
            decode(&record(kernel, user, &frames));
            decode(&record(kernel % 64, user % 64, &frames));
        }
    }
}
