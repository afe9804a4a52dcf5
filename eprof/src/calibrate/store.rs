//! The buffer that no cache holds.

use crate::host::SysRoot;

/// Words in a cache line of 64 bytes.
const LINE: usize = 8;

/// Words that are read at a time.
const CHUNK: usize = 16 * 1024;

/// Bounds of the size in bytes: larger than the caches of small machines, and
/// nothing that hurts on large ones.
const LEAST: usize = 32 << 20;
const MOST: usize = 256 << 20;

/// A buffer whose lines form one cycle in random order: the first word of each
/// line is the index of the next line. Shared, and only read.
#[derive(Debug)]
pub struct Store {
    words: Vec<u64>,
}

impl Store {
    /// Twice the largest cache of the machine, within bounds.
    pub fn beyond_caches(root: &SysRoot) -> Self {
        let cache = largest_cache(root).unwrap_or(LEAST);
        Self::of_bytes(cache.saturating_mul(2).clamp(LEAST, MOST))
    }

    /// Of so many bytes, at least two lines.
    pub fn of_bytes(bytes: usize) -> Self {
        let lines = (bytes / 64).max(2);
        let mut words = vec![1_u64; lines * LINE];
        // Sattolo's algorithm (1986) makes a permutation of one cycle.
        let mut order: Vec<u32> = (0..u32::try_from(lines).unwrap_or(u32::MAX)).collect();
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        for last in (1..order.len()).rev() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let other = (state % last as u64) as usize;
            order.swap(last, other);
        }
        for (line, next) in order.into_iter().enumerate() {
            words[line * LINE] = u64::from(next);
        }
        Self { words }
    }

    /// Reads the next 128 KiB from `at` on.
    pub(super) fn stream(&self, at: &mut usize) -> u64 {
        let begin = *at % self.words.len();
        let end = (begin + CHUNK).min(self.words.len());
        *at = end;
        let words = &self.words[begin..end];
        words
            .iter()
            .fold(0, |sum: u64, word| sum.wrapping_add(*word))
    }

    /// Goes on a few hundred lines from `at`.
    pub(super) fn chase(&self, at: &mut usize) {
        let mut line = *at % (self.words.len() / LINE);
        for _ in 0..300 {
            line = self.words[line * LINE] as usize;
        }
        *at = line;
    }
}

/// The size in bytes of the largest cache of CPU 0
/// (`Documentation/ABI/testing/sysfs-devices-system-cpu`).
fn largest_cache(root: &SysRoot) -> Option<usize> {
    let size = |index: u32| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        let text = root.read(path).ok()?;
        let kib = text.trim().strip_suffix('K')?.parse::<usize>().ok()?;
        kib.checked_mul(1024)
    };
    (0..8).filter_map(size).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_are_on_one_way() {
        let store = Store::of_bytes(64 * 1000);
        let mut seen = vec![false; 1000];
        let mut line = 0;
        for _ in 0..1000 {
            assert!(!seen[line]);
            seen[line] = true;
            line = store.words[line * LINE] as usize;
        }
        assert_eq!(line, 0);
    }
}
