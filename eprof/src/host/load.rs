//! How busy the CPUs were, from `/proc/stat`.

use super::root::SysRoot;

/// Time of all CPUs since boot, in clock ticks (`proc_stat(5)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// Ticks in which something ran, the hypervisor's steal included.
    pub busy: u64,
    /// Ticks in which nothing ran.
    pub idle: u64,
}

impl CpuTimes {
    /// Reads the first line of `/proc/stat` below `root`, of the machine's own
    /// where the root has none; `None` where it cannot be read or understood.
    pub fn read(root: &SysRoot) -> Option<Self> {
        let path = "/proc/stat";
        let text = root.read(path).or_else(|_| SysRoot::machine().read(path));
        Self::parse(&text.ok()?)
    }

    /// Parses the text of `/proc/stat`. `guest` is inside `user` and so not
    /// counted again.
    pub fn parse(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = line
            .split_whitespace()
            .map(|word| word.parse().ok())
            .collect::<Option<_>>()?;
        let at = |i: usize| ticks.get(i).copied().unwrap_or(0);
        (ticks.len() >= 4).then(|| Self {
            busy: [0, 1, 2, 5, 6, 7]
                .iter()
                .fold(0, |sum: u64, &i| sum.saturating_add(at(i))),
            idle: at(3).saturating_add(at(4)),
        })
    }

    /// The part of all CPU time between `earlier` and `self` in which
    /// something ran, from 0 to 1; `None` where no tick passed.
    pub fn busy_since(self, earlier: Self) -> Option<f64> {
        let busy = self.busy.checked_sub(earlier.busy)?;
        // Idle ticks of a CPU that goes offline may go backwards a little.
        let idle = self.idle.saturating_sub(earlier.idle);
        let all = busy.saturating_add(idle);
        (all > 0).then(|| busy as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    #[test]
    fn half_busy_is_a_half() {
        let before = CpuTimes::parse("cpu  10 0 10 100 0 0 0 0 0 0\ncpu0 1 2 3 4\n").unwrap();
        let after = CpuTimes::parse("cpu  20 5 15 110 10 0 0 0 15 0\n").unwrap();
        let share = after.busy_since(before).unwrap();
        assert!((share - 0.5).abs() < 1e-12, "{share}");
    }

    #[test]
    fn no_tick_and_garbage_are_unknown() {
        let one = CpuTimes { busy: 5, idle: 5 };
        assert_eq!(one.busy_since(one), None);
        assert_eq!(CpuTimes::parse("cpu  a b c d"), None);
        assert_eq!(CpuTimes::parse("cpu 1 2"), None);
    }
}
