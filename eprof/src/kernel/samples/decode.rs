//! Decoding stack samples. Total: no bytes make it panic.

use eprof_common::sample::{COPY_WORDS, INTERRUPTED, MAX_FRAMES, PIECE, ResumeFrame};
use eprof_common::{COUNTERS, Registers, SampleHeader, WalkEnd};
use std::mem::offset_of;

use crate::kernel::event::Sample;
use crate::kernel::stack::{Beyond, StackCopy};
use crate::measurement::{SampledSlice, StackEnd};
use crate::unit::{Nanos, Timestamp};

/// Decodes one record of the ring: the serial number of the thread, and the
/// sample, which does not name its thread yet. `None` where the lengths of the
/// record do not fit (the ring rounds records up, so that bytes may follow).
pub(in crate::kernel) fn decode(record: &[u8]) -> Option<(u64, Sample)> {
    let (header, frames) = record.split_at_checked(size_of::<SampleHeader>())?;
    let kernel_bytes = i32_at(header, offset_of!(SampleHeader, kernel_bytes))?;
    let user_bytes = i32_at(header, offset_of!(SampleHeader, user_bytes))?;
    let end = WalkEnd(u32_at(header, offset_of!(SampleHeader, user_end))?);
    let copied = u32_at(header, offset_of!(SampleHeader, pieces))?;
    let skipped = u32_at(header, offset_of!(SampleHeader, skipped))?;
    let (kernel, kernel_end, rest) = stack(frames, kernel_bytes, WalkEnd::BY_POINTERS)?;
    let (mut user, user_end, rest) = stack(rest, user_bytes, end)?;
    let copy = match usize::try_from(copied).ok()? {
        0 => None,
        copied => {
            let mut copy = copy(rest, skipped, copied)?;
            copy.process = u32_at(header, offset_of!(SampleHeader, tgid))?;
            copy.thread = u64_at(header, offset_of!(SampleHeader, serial))?;
            copy.beyond = beyond(rest, &mut user, end)?;
            Some(Box::new(copy))
        }
    };
    let mut interrupted = Vec::new();
    if end != WalkEnd::BY_POINTERS {
        for (place, address) in user.iter_mut().enumerate() {
            if *address & INTERRUPTED != 0 {
                *address &= !INTERRUPTED;
                interrupted.push(place);
            }
        }
    }
    let mut counts = [0; COUNTERS];
    for (counter, count) in counts.iter_mut().enumerate() {
        *count = u64_at(header, offset_of!(SampleHeader, counts) + counter * 8)?;
    }
    let serial = u64_at(header, offset_of!(SampleHeader, serial))?;
    let sample = Sample {
        task: None,
        at: Timestamp(u64_at(header, offset_of!(SampleHeader, at))?),
        slice: SampledSlice {
            cpu: u32_at(header, offset_of!(SampleHeader, cpu))?,
            spent: Nanos(u64_at(header, offset_of!(SampleHeader, spent))?),
            counts,
        },
        kernel,
        kernel_end,
        user,
        interrupted,
        user_end,
        copy,
    };
    Some((serial, sample))
}

/// A stack whose walk answered `result` and ended as `end` says, and what
/// follows it.
fn stack(frames: &[u8], result: i32, end: WalkEnd) -> Option<(Vec<u64>, StackEnd, &[u8])> {
    let Ok(bytes) = usize::try_from(result) else {
        return Some((Vec::new(), StackEnd::Failed, frames));
    };
    let (stack, rest) = frames.split_at_checked(bytes)?;
    let (addresses, odd) = stack.as_chunks::<8>();
    if !odd.is_empty() {
        return None;
    }
    let end = match addresses.len() {
        _ if end != WalkEnd::BY_POINTERS => StackEnd::of(end),
        0 => StackEnd::Absent,
        n if n >= MAX_FRAMES => StackEnd::Truncated,
        _ => StackEnd::Complete,
    };
    let addresses = addresses.iter().map(|bytes| u64::from_ne_bytes(*bytes));
    Some((addresses.collect(), end, rest))
}

/// Registers and a copied stack, of whatever thread.
fn copy(bytes: &[u8], skipped: u32, copied: usize) -> Option<StackCopy> {
    let (head, rest) = bytes.split_at_checked(COPY_WORDS * 8)?;
    let registers = Registers {
        pc: u64_at(head, offset_of!(Registers, pc))?,
        sp: u64_at(head, offset_of!(Registers, sp))?,
        fp: u64_at(head, offset_of!(Registers, fp))?,
        lr: u64_at(head, offset_of!(Registers, lr))?,
        flags: u64_at(head, offset_of!(Registers, flags))?,
    };
    let wanted = u64_at(head, (COPY_WORDS - 3) * 8)?;
    let outer = usize::try_from(u64_at(head, (COPY_WORDS - 2) * 8)?).ok()?;
    let end = u64_at(head, (COPY_WORDS - 1) * 8)?;
    let pieces = rest.get(..copied.checked_mul(PIECE)?)?;
    let near = copied.checked_sub(outer)?;
    let (bytes, outermost_first) = pieces.split_at_checked(near * PIECE)?;
    let mut outer = Vec::with_capacity(outermost_first.len());
    for piece in outermost_first.rchunks_exact(PIECE) {
        outer.extend_from_slice(piece);
    }
    Some(StackCopy {
        process: 0,
        thread: 0,
        registers,
        base: (registers.sp & !(PIECE as u64 - 1)).wrapping_add(u64::from(skipped) * PIECE as u64),
        bytes: bytes.to_vec(),
        outer: (end.wrapping_sub(outer.len() as u64), outer),
        whole: (near as u64) < wanted,
        beyond: None,
    })
}

/// Takes off `user` what lies beyond the gap, if there is one; the walk ended
/// as `end` says. `None` where that does not fit.
fn beyond(bytes: &[u8], user: &mut Vec<u64>, end: WalkEnd) -> Option<Option<Beyond>> {
    let (_, tail) = bytes.split_at_checked(size_of::<Registers>())?;
    let first = ResumeFrame {
        pc: u64_at(tail, offset_of!(ResumeFrame, pc))?,
        sp: u64_at(tail, offset_of!(ResumeFrame, sp))?,
        fp: u64_at(tail, offset_of!(ResumeFrame, fp))?,
    };
    if first == ResumeFrame::default() {
        return Some(None);
    }
    let before = usize::try_from(u64_at(tail, size_of::<ResumeFrame>())?).ok()?;
    let frames = (before <= user.len()).then(|| user.split_off(before))?;
    Some(Some(Beyond { first, frames, end }))
}

fn bytes_at<const N: usize>(data: &[u8], offset: usize) -> Option<[u8; N]> {
    data.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

fn i32_at(data: &[u8], offset: usize) -> Option<i32> {
    bytes_at(data, offset).map(i32::from_ne_bytes)
}

fn u32_at(data: &[u8], offset: usize) -> Option<u32> {
    bytes_at(data, offset).map(u32::from_ne_bytes)
}

fn u64_at(data: &[u8], offset: usize) -> Option<u64> {
    bytes_at(data, offset).map(u64::from_ne_bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Head {
        kernel: i32,
        user: i32,
        end: WalkEnd,
        pieces: u32,
    }

    fn record(head: &Head, words: &[u64]) -> Vec<u8> {
        let mut record = Vec::new();
        record.extend(7_u64.to_ne_bytes());
        record.extend(42_u64.to_ne_bytes());
        for word in [100, 99, 3, head.kernel, head.user] {
            record.extend(word.to_ne_bytes());
        }
        for word in [head.end.0, head.pieces, 0] {
            record.extend(word.to_ne_bytes());
        }
        for word in [11_u64, 21, 22, 23, 24] {
            record.extend(word.to_ne_bytes());
        }
        assert_eq!(record.len(), size_of::<SampleHeader>());
        record.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        record
    }

    fn walked(kernel: i32, user: i32, end: WalkEnd, words: &[u64]) -> Option<Sample> {
        let head = Head {
            kernel,
            user,
            end,
            pieces: 0,
        };
        sampled(&record(&head, words))
    }

    /// A sample, without the serial number of its thread.
    fn sampled(record: &[u8]) -> Option<Sample> {
        decode(record).map(|(serial, sample)| {
            assert_eq!((serial, sample.task), (42, None));
            sample
        })
    }

    #[test]
    fn both_stacks_are_taken_apart() {
        let sample = walked(16, 8, WalkEnd::ROOT, &[1, 2, 3]).unwrap();
        assert_eq!(sample.at, Timestamp(7));
        let SampledSlice { cpu, spent, counts } = sample.slice;
        assert_eq!((cpu, spent, counts), (3, Nanos(11), [21, 22, 23, 24]));
        assert_eq!(
            (sample.kernel, sample.kernel_end),
            (vec![1, 2], StackEnd::Complete)
        );
        assert_eq!(
            (sample.user, sample.user_end),
            (vec![3], StackEnd::Complete)
        );
        assert_eq!((sample.interrupted, sample.copy), (vec![], None));
    }

    #[test]
    fn ends_are_told_apart() {
        let by_pointers = WalkEnd::BY_POINTERS;
        let sample = walked(0, -14, by_pointers, &[]).unwrap();
        assert_eq!(sample.kernel_end, StackEnd::Absent);
        assert_eq!(sample.user_end, StackEnd::Failed);
        let full = walked(0, 127 * 8, by_pointers, &[9; 127]).unwrap();
        assert_eq!(full.user_end, StackEnd::Truncated);
        for (end, meaning) in [
            (WalkEnd::ABSENT, StackEnd::Absent),
            (WalkEnd::DEEP, StackEnd::Truncated),
            (WalkEnd::NO_TABLE, StackEnd::NoTable),
            (WalkEnd::FAULT, StackEnd::Unreadable),
            (WalkEnd(77), StackEnd::Failed),
        ] {
            assert_eq!(walked(0, 8, end, &[9]).unwrap().user_end, meaning);
        }
    }

    #[test]
    fn interrupted_code_is_told_from_calls() {
        let sample = walked(0, 24, WalkEnd::ROOT, &[1, 2 | INTERRUPTED, 3]).unwrap();
        assert_eq!((sample.user, sample.interrupted), (vec![1, 2, 3], vec![1]));
    }

    #[test]
    fn a_copy_comes_with_its_registers() {
        let head = |pieces| Head {
            kernel: 0,
            user: 8,
            end: WalkEnd::PENDING,
            pieces,
        };
        let mut words = vec![5, 0x40_0000, 0x7fff_0410, 0x7fff_0420, 0, Registers::EXACT];
        words.extend([0; 4]);
        let pieces = 0..2 * PIECE as u64 / 8;
        let with = |wanted| -> Vec<u64> {
            let words = words.iter().copied();
            words.chain([wanted, 0, 0]).chain(pieces.clone()).collect()
        };
        let copy = |wanted| sampled(&record(&head(2), &with(wanted))).unwrap().copy;
        let deep = copy(2).unwrap();
        let copy = copy(3).unwrap();
        assert_eq!(copy.registers.pc, 0x40_0000);
        assert_eq!((copy.base, copy.bytes.len()), (0x7fff_0400, 2 * PIECE));
        assert_eq!(copy.bytes[8], 1);
        assert!(copy.whole, "fewer pieces than were wanted");
        assert!(!deep.whole);
        assert_eq!(decode(&record(&head(3), &with(3))), None);
    }

    #[test]
    fn the_outer_end_of_a_stack_is_put_in_order() {
        let head = Head {
            kernel: 0,
            user: 0,
            end: WalkEnd::PENDING,
            pieces: 3,
        };
        let decoded = |outer| {
            let mut words = vec![0x40_0000, 0x7fff_0410, 0, 0, 0];
            words.extend([0, 0, 0, 0, 1, outer, 0x7fff_9000]);
            words.extend((0..3).flat_map(|piece| [piece; PIECE / 8]));
            sampled(&record(&head, &words))
        };
        let copy = decoded(2).unwrap().copy.unwrap();
        assert_eq!((copy.base, copy.bytes.len()), (0x7fff_0400, PIECE));
        let (base, bytes) = &copy.outer;
        assert_eq!(*base, 0x7fff_9000 - 2 * PIECE as u64);
        // The outermost piece comes first in the record.
        assert_eq!((bytes[0], bytes[PIECE]), (2, 1));
        assert!(!copy.whole, "all pieces that were wanted of this end");
        assert_eq!(decoded(4), None);
    }

    #[test]
    fn what_lies_beyond_a_gap_is_kept_apart() {
        let head = Head {
            kernel: 0,
            user: 32,
            end: WalkEnd::ROOT,
            pieces: 1,
        };
        let registers = [0x40_0000, 0x7fff_0410, 0, 0, 0];
        let decoded = |before| {
            let mut words = vec![1, 2, 3, 4 | INTERRUPTED];
            words.extend(registers);
            words.extend([0x41_0000, 0x7fff_0510, 7, before, 1, 0, 0]);
            words.extend([0; PIECE / 8]);
            sampled(&record(&head, &words))
        };
        let sample = decoded(1).unwrap();
        assert_eq!((sample.user, sample.interrupted), (vec![1], vec![]));
        let beyond = Beyond {
            first: ResumeFrame {
                pc: 0x41_0000,
                sp: 0x7fff_0510,
                fp: 7,
            },
            frames: vec![2, 3, 4 | INTERRUPTED],
            end: WalkEnd::ROOT,
        };
        assert_eq!(sample.copy.unwrap().beyond, Some(beyond));
        assert_eq!(decoded(5), None);
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        assert_eq!(walked(16, 8, WalkEnd::ROOT, &[1, 2]), None);
        assert_eq!(walked(7, 0, WalkEnd::ROOT, &[1]), None);
        assert_eq!(decode(&[0; size_of::<SampleHeader>() - 1]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            noise: Vec<u8>, kernel: i32, user: i32, end: u32, pieces: u32, words: Vec<u64>,
        ) {
            decode(&noise);
            for (kernel, user, pieces) in [(kernel, user, pieces), (kernel % 64, user % 64, pieces % 4)] {
                let head = Head { kernel, user, end: WalkEnd(end), pieces };
                decode(&record(&head, &words));
            }
        }
    }
}
