//! How long one file may take.

use crate::unit::{Nanos, Timestamp};

/// The most CPU time for one file.
const CPU: Nanos = Nanos(20_000_000_000);

/// The most time for one file, however busy the machine is with other things.
const LONGEST: Nanos = Nanos(120_000_000_000);

/// Who says nothing for so long …
const SILENCE: Nanos = Nanos(10_000_000_000);

/// … and has not used that much CPU time meanwhile waits for something that will not
/// come.
const IDLE: Nanos = Nanos(100_000_000);

/// The most time for all files together.
pub(super) const TOTAL: Nanos = Nanos(300_000_000_000);

/// The time of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    began: Timestamp,
    cpu: Nanos,
    heard: Timestamp,
    cpu_heard: Nanos,
}

impl Budget {
    /// From `now` on, of somebody who has used so much `cpu` time.
    pub(super) fn new(now: Timestamp, cpu: Nanos) -> Self {
        Self {
            began: now,
            cpu,
            heard: now,
            cpu_heard: cpu,
        }
    }

    /// There was a sign of life.
    pub(super) fn heard(&mut self, now: Timestamp, cpu: Nanos) {
        (self.heard, self.cpu_heard) = (now, cpu);
    }

    /// Whether it is used up.
    pub(super) fn is_over(&self, now: Timestamp, cpu: Nanos) -> bool {
        let idle = cpu.saturating_sub(self.cpu_heard) < IDLE;
        cpu.saturating_sub(self.cpu) >= CPU
            || now.since(self.began) >= LONGEST
            || (now.since(self.heard) >= SILENCE && idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Nanos {
        Nanos(seconds * 1_000_000_000)
    }

    fn at(second: u64) -> Timestamp {
        Timestamp(second * 1_000_000_000)
    }

    #[test]
    fn who_works_has_its_time_and_who_hangs_has_not() {
        let mut budget = Budget::new(at(100), seconds(5));
        assert!(!budget.is_over(at(109), seconds(5)));
        assert!(budget.is_over(at(110), seconds(5)), "hangs");
        assert!(!budget.is_over(at(130), seconds(24)), "works");
        assert!(budget.is_over(at(130), seconds(25)), "works for too long");
        budget.heard(at(130), seconds(20));
        assert!(!budget.is_over(at(139), seconds(20)));
        assert!(budget.is_over(at(140), seconds(20)), "hangs later");
        assert!(
            budget.is_over(at(220), seconds(24)),
            "for ever on a busy machine"
        );
    }
}
