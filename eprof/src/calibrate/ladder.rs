//! The ladder: which loads, for how much of the time, on how many CPUs.

use std::time::Duration;

use super::load::Load;

/// Parts of the time at work, in percent: high and low in turn, so that a slow
/// drift (of temperature) is not mistaken for the effect of a load.
const PERCENT: [u8; 4] = [100, 25, 75, 50];

/// Less time than this for all loads says nothing.
pub const SHORTEST: Duration = Duration::from_secs(5);

/// The part of a rung before it is measured: threads begin, caches fill.
const WARM_UP: f64 = 0.15;

/// Blocks of measurement on a rung.
const BLOCKS: u32 = 4;

/// One step: a load at work on some CPUs for a part of the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// What is done.
    pub load: Load,
    /// For how much of the time, in percent.
    pub percent: u8,
    /// On which CPUs, a thread on each.
    pub cpus: Vec<u32>,
}

/// All steps and how long they take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// In the order in which they are done.
    pub rungs: Vec<Rung>,
    /// Time before a rung is measured.
    pub warm_up: Duration,
    /// Length of a block of measurement.
    pub block: Duration,
    /// Blocks per rung.
    pub blocks: u32,
}

impl Ladder {
    /// Every load at each part of the time on one, half and all of `cpus`,
    /// in about `time` altogether.
    pub fn new(cpus: &[u32], time: Duration) -> Self {
        let mut widths = vec![1, cpus.len().div_ceil(2), cpus.len()];
        widths.dedup();
        let mut rungs = Vec::new();
        for percent in PERCENT {
            for load in Load::ALL {
                for &width in widths
                    .iter()
                    .filter(|width| (1..=cpus.len()).contains(*width))
                {
                    rungs.push(Rung {
                        load,
                        percent,
                        cpus: spread(cpus, width),
                    });
                }
            }
        }
        let each = time.div_f64(rungs.len().max(1) as f64);
        let warm_up = each.mul_f64(WARM_UP);
        Self {
            warm_up,
            block: (each - warm_up) / BLOCKS,
            blocks: BLOCKS,
            rungs,
        }
    }
}

/// `width` of `cpus`, as far from each other as can be: CPUs of one package
/// have neighbouring numbers.
fn spread(cpus: &[u32], width: usize) -> Vec<u32> {
    (0..width)
        .filter_map(|at| cpus.get(at * cpus.len() / width).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_half_all() {
        let cpus: Vec<u32> = (0..8).collect();
        let ladder = Ladder::new(&cpus, Duration::from_secs(50));
        assert_eq!(ladder.rungs.len(), 6 * 4 * 3);
        let mut widths: Vec<usize> = ladder.rungs.iter().map(|rung| rung.cpus.len()).collect();
        widths.sort_unstable();
        widths.dedup();
        assert_eq!(widths, [1, 4, 8]);
        let rung = ladder.warm_up + ladder.block * ladder.blocks;
        let time = rung * 72;
        assert!(time <= Duration::from_secs(50) && time > Duration::from_secs(49));
    }

    #[test]
    fn one_cpu_has_one_width() {
        assert_eq!(Ladder::new(&[3], Duration::from_secs(1)).rungs.len(), 24);
        assert!(Ladder::new(&[], Duration::from_secs(1)).rungs.is_empty());
    }
}
