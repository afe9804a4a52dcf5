//! The samples of an interval as columns: what is alike lies side by side, so
//! that it takes little room and is soon read. `docs/recording-format.md` tells
//! the layout.

use crate::measurement::{COUNTERS, Counter, CpuGroupId, TaskId};
use crate::unit::Nanos;

use super::format::MAX_SAMPLES;
use super::record::SampleCount;
use super::varint::{put, take};
use crate::measurement::StackId;

/// All values of the column are the same.
const SAME: u8 = 0;
/// Each has its own.
const EACH: u8 = 1;

/// Adds `samples`, with these counters, to the end of `out`.
pub(super) fn encode(samples: &[SampleCount], counters: &[Counter], out: &mut Vec<u8>) {
    let of_one = |a: &SampleCount, b: &SampleCount| (a.task, a.group) == (b.task, b.group);
    let groups = || samples.chunk_by(of_one);
    for group in groups() {
        // The others are columns, below.
        if let Some(&SampleCount {
            task,
            group: cpus,
            stack: _,
            count: _,
            spent: _,
            counts: _,
        }) = group.first()
        {
            put(out, task.0.into());
            put(out, cpus.0.into());
            put(out, group.len() as u64);
        }
    }
    for group in groups() {
        let mut before = 0_u32;
        for sample in group {
            put(out, sample.stack.0.wrapping_sub(before).into());
            before = sample.stack.0;
        }
    }
    column(samples, out, |sample| sample.count.into());
    column(samples, out, |sample| sample.spent.0);
    for &counter in counters {
        column(samples, out, |sample| sample.counts[counter as usize]);
    }
}

fn column(samples: &[SampleCount], out: &mut Vec<u8>, value: impl Fn(&SampleCount) -> u64) {
    let Some(first) = samples.first().map(&value) else {
        return;
    };
    if samples.iter().all(|sample| value(sample) == first) {
        out.push(SAME);
        put(out, first);
        return;
    }
    out.push(EACH);
    for sample in samples {
        put(out, value(sample));
    }
}

/// Takes `total` samples, with these counters, from the front of `bytes`;
/// `None` where they are not there.
pub(super) fn decode(
    bytes: &mut &[u8],
    total: u64,
    counters: &[Counter],
) -> Option<Vec<SampleCount>> {
    let total = usize::try_from(total).ok()?;
    // A sample has a byte at least: that of its stack.
    if total > MAX_SAMPLES.min(bytes.len()) {
        return None;
    }
    let mut samples = Vec::with_capacity(total);
    while samples.len() < total {
        let one = SampleCount {
            task: TaskId(take(bytes)?.try_into().ok()?),
            group: CpuGroupId(take(bytes)?.try_into().ok()?),
            stack: StackId(0),
            count: 0,
            spent: Nanos::ZERO,
            counts: [0; COUNTERS],
        };
        let group = usize::try_from(take(bytes)?).ok()?;
        if group == 0 || group > total - samples.len() {
            return None;
        }
        samples.resize(samples.len() + group, one);
    }
    let of_one = |a: &SampleCount, b: &SampleCount| (a.task, a.group) == (b.task, b.group);
    for group in samples.chunk_by_mut(of_one) {
        let mut before = 0_u32;
        for sample in group {
            before = before.wrapping_add(take(bytes)?.try_into().ok()?);
            sample.stack = StackId(before);
        }
    }
    fill(&mut samples, bytes, |sample, value| {
        sample.count = value.try_into().ok()?;
        Some(())
    })?;
    fill(&mut samples, bytes, |sample, value| {
        sample.spent = Nanos(value);
        Some(())
    })?;
    for &counter in counters {
        fill(&mut samples, bytes, |sample, value| {
            sample.counts[counter as usize] = value;
            Some(())
        })?;
    }
    Some(samples)
}

/// Sets what a column holds in all of `samples`.
fn fill(
    samples: &mut [SampleCount],
    bytes: &mut &[u8],
    set: impl Fn(&mut SampleCount, u64) -> Option<()>,
) -> Option<()> {
    if samples.is_empty() {
        return Some(());
    }
    let (kind, rest) = bytes.split_first()?;
    *bytes = rest;
    match *kind {
        SAME => {
            let value = take(bytes)?;
            samples.iter_mut().try_for_each(|sample| set(sample, value))
        }
        EACH => samples
            .iter_mut()
            .try_for_each(|sample| set(sample, take(bytes)?)),
        _ => None,
    }
}
