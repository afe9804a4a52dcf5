//! What a thread did, divided over its stacks.

use crate::apportion::apportion;
use crate::measurement::{COUNTERS, Counter};
use crate::unit::{Microjoules, Nanos};

use super::model::ThreadRow;

/// What of a stack tells its part of the thread.
pub(super) struct Seen {
    /// How often it was sampled.
    pub(super) samples: u64,
    /// Its energy with its share of idle, in microjoules.
    pub(super) energy: u64,
    /// What its samples counted.
    pub(super) counts: [u64; COUNTERS],
}

/// The part of a stack.
#[derive(Clone, Copy, Default)]
pub(super) struct Share {
    pub(super) cpu: Nanos,
    pub(super) counts: [u64; COUNTERS],
}

/// Divides CPU time over what was sampled so often: samples are taken by time.
/// The parts add up to it; there are none where nothing was sampled.
pub(super) fn cpu_time(cpu: Nanos, samples: &[u64]) -> Vec<Nanos> {
    let parts = divide(cpu.0, samples);
    parts.into_iter().map(Nanos).collect()
}

/// Divides what a thread did over its stacks: its CPU time by samples, what
/// counters counted as samples counted it. A thread that was never sampled is
/// divided as its energy is. The parts add up to the thread.
pub(super) fn of_thread(thread: &ThreadRow, stacks: &[Seen]) -> Vec<Share> {
    let by = |of: &dyn Fn(&Seen) -> u64| -> Vec<u64> { stacks.iter().map(of).collect() };
    let samples = by(&|of| of.samples);
    let by_time = match samples.iter().any(|&samples| samples > 0) {
        true => samples,
        false => by(&|of| of.energy),
    };
    let times = cpu_time(thread.cpu, &by_time);
    let mut shares: Vec<Share> = times
        .into_iter()
        .map(|cpu| Share {
            cpu,
            ..Share::default()
        })
        .collect();
    for counter in Counter::ALL {
        let whole = thread.events[counter];
        if whole == 0 {
            continue;
        }
        let counted = by(&|of| of.counts[counter as usize]);
        let any = counted.iter().any(|&count| count > 0);
        let parts = divide(whole, if any { &counted } else { &by_time });
        for (share, part) in shares.iter_mut().zip(parts) {
            share.counts[counter as usize] = part;
        }
    }
    shares
}

/// Exact for any integers, whatever they count.
fn divide(whole: u64, weights: &[u64]) -> Vec<u64> {
    let parts = apportion(Microjoules(whole), weights);
    parts.into_iter().map(|part| part.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_by_samples_to_the_last_nanosecond() {
        assert_eq!(cpu_time(Nanos(10), &[1, 2]), [Nanos(3), Nanos(7)]);
        assert_eq!(cpu_time(Nanos(10), &[0, 0]), [Nanos(0); 2]);
    }
}
