//! How long a CPU was idle, so that another one can look at any time.

/// The time a CPU was idle, in nanoseconds, in a word that is changed by one
/// store: whoever looks from another CPU sees the state before or after a
/// change, and nothing in between.
///
/// While the CPU is busy, the word is twice the time it was idle so far; while
/// it is idle, twice the moment since which it would have been idle had it
/// never been busy, plus one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdleTime(pub u64);

impl IdleTime {
    /// Whether the CPU is idle.
    #[inline(always)]
    pub const fn is_idle(self) -> bool {
        self.0 & 1 == 1
    }

    /// The time the CPU was idle until `now`.
    #[inline(always)]
    pub const fn total(self, now: u64) -> u64 {
        if self.is_idle() {
            now.wrapping_sub(self.0 >> 1)
        } else {
            self.0 >> 1
        }
    }

    /// The state when the CPU becomes idle `now`, or is so already.
    #[inline(always)]
    pub const fn begin(self, now: u64) -> Self {
        if self.is_idle() {
            self
        } else {
            Self(now.wrapping_sub(self.0 >> 1) << 1 | 1)
        }
    }

    /// The state when the CPU becomes busy `now`, or is so already.
    #[inline(always)]
    pub const fn end(self, now: u64) -> Self {
        Self(self.total(now) << 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_adds_up() {
        let busy = IdleTime::default();
        assert_eq!(busy.total(1_000), 0);
        let idle = busy.begin(1_000);
        assert_eq!((idle.total(1_000), idle.total(1_250)), (0, 250));
        assert_eq!(idle.begin(1_100), idle, "it is idle already");
        let busy = idle.end(1_300);
        assert_eq!((busy.total(1_300), busy.total(9_000)), (300, 300));
        assert_eq!(busy.end(2_000), busy, "it is busy already");
        let idle = busy.begin(2_000);
        assert_eq!(idle.total(2_007), 307);
        assert_eq!(idle.end(2_007).total(5_000), 307);
    }
}
