//! What the kernel side is asked to do.

use std::path::PathBuf;

use super::counters::counting::Counting;
use super::verifier_log::VerifierLog;
use crate::host::{CorePmu, SysRoot, cores, cpus};
use crate::measurement::{Counter, CpuGroup};
use crate::unit::Nanos;

/// How user stacks are walked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unwinding {
    /// In the kernel, by tables that are compiled from the programs' unwind
    /// information. Needs Linux 5.17 and its type information.
    #[default]
    Tables,
    /// In eprof, in a copy of the upper end of the stack. Needs Linux 5.15 and
    /// its type information.
    Copies,
    /// By the kernel, along frame pointers, which most programs lack.
    Pointers,
}

impl Unwinding {
    /// That of a name: `tables`, `copies` or `pointers`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "tables" => Some(Self::Tables),
            "copies" => Some(Self::Copies),
            "pointers" => Some(Self::Pointers),
            _ => None,
        }
    }
}

/// What the kernel side is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Stack samples per second of CPU time; zero for none.
    pub frequency_hz: u32,
    /// The CPU groups by which time is accounted, `id` = position. CPUs in none of
    /// them are accounted in the first. Empty for one group of all CPUs.
    pub groups: Vec<CpuGroup>,
    /// What is counted besides time; one counter of each kind.
    pub counters: Vec<Counting>,
    /// The PMU of each kind of cores; empty where all are alike.
    pub core_pmus: Vec<CorePmu>,
    /// CPUs that share a core with another one, and that one. Only what the
    /// other one does is looked at, however many share the core.
    pub siblings: Vec<(u32, u32)>,
    /// Use nothing that needs the kernel's type information, as on a kernel
    /// that has none.
    pub no_btf: bool,
    /// How user stacks are walked, at best.
    pub unwinding: Unwinding,
    /// Takes what the kernel's verifier says of programs that it refuses.
    pub verifier_log: Option<VerifierLog>,
    /// Load this file instead of the embedded object.
    pub object: Option<PathBuf>,
    /// The CPUs that are online; `None`: asks the machine.
    pub online: Option<Vec<u32>>,
    /// Bytes of the ring for samples; a power of two and a multiple of the
    /// page size.
    pub ring_bytes: u32,
    /// At most so many task instances at a time; rounded up to a power of two.
    /// Fewer where there are many CPU groups.
    pub slots: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            frequency_hz: 997,
            groups: Vec::new(),
            counters: Vec::new(),
            core_pmus: Vec::new(),
            siblings: Vec::new(),
            no_btf: false,
            unwinding: Unwinding::default(),
            verifier_log: None,
            object: None,
            online: None,
            ring_bytes: 8 << 20,
            slots: eprof_common::slot::MAX_SLOTS,
        }
    }
}

/// The size of the ring for this machine. While programs begin on all CPUs, most samples
/// have a copy of the stack. If all CPUs are busy, each writes 1.5 MiB between two times
/// that the ring is emptied.
fn ring_bytes() -> u32 {
    let wanted = cpus().saturating_mul(2 << 20).clamp(4 << 20, 32 << 20);
    u32::try_from(wanted.next_power_of_two()).unwrap_or(32 << 20)
}

/// How many task instances there is room for on this machine, if those that have ended
/// are collected so often. There is room for threads that stay, and for processes that
/// come and go: a CPU that does nothing else starts some 10,000 a second, and there is
/// room for twice as many.
fn slots(collected: Nanos) -> u32 {
    const STAY: f64 = 4096.0;
    const STARTED_PER_SECOND: f64 = 20_000.0;
    let each = STAY + STARTED_PER_SECOND * collected.seconds();
    // Rounded and limited where they are used.
    (each * cpus() as f64).max(16_384.0) as u32
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Most memory for accounts of threads, in bytes.
const CELL_BYTES: usize = 64 << 20;

impl Settings {
    /// Settings for the machine that `root` describes. Time is accounted by CPU
    /// `groups`, those of `counters` that exist are counted, and intervals are closed
    /// every `interval`.
    pub fn of(root: &SysRoot, groups: &[CpuGroup], counters: &[Counter], interval: Nanos) -> Self {
        Self {
            groups: groups.to_vec(),
            counters: counters.iter().copied().map(Counting::hardware).collect(),
            core_pmus: cores::pmus(root),
            siblings: cpus::siblings(root),
            ring_bytes: ring_bytes(),
            slots: slots(interval),
            ..Self::default()
        }
    }

    /// Whether the environment says that eprof is to do without BTF.
    pub fn is_btf_refused() -> bool {
        std::env::var_os("EPROF_NO_BTF").is_some_and(|value| value == "1")
    }

    /// Number of CPU groups, at least one.
    pub(super) fn group_count(&self) -> usize {
        self.groups.len().max(1)
    }

    /// Number of slots: a power of two, at least 1024.
    pub(super) fn slot_count(&self) -> u32 {
        let wanted = self
            .slots
            .clamp(1024, eprof_common::slot::MAX_SLOTS)
            .next_power_of_two();
        let bytes = 2 * size_of::<eprof_common::Cell>() * self.group_count();
        let affordable = (CELL_BYTES / bytes).max(1024);
        let affordable = u32::try_from(affordable).unwrap_or(u32::MAX);
        // Rounded down to a power of two.
        wanted.min(1 << affordable.ilog2())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::CpuGroupId;

    #[test]
    fn there_is_room_for_all_that_can_be_started_between_two_collections() {
        let often = slots(Nanos(50_000_000));
        assert!(often >= 16_384);
        let seldom = slots(Nanos(1_000_000_000));
        assert!(seldom > often || often > eprof_common::slot::MAX_SLOTS);
        assert!(slots(Nanos(u64::MAX)) >= seldom);
    }

    #[test]
    fn many_cpu_groups_leave_fewer_slots() {
        let groups = |n: u16| Settings {
            groups: (0..n)
                .map(|id| CpuGroup {
                    core: String::new(),
                    id: CpuGroupId(id),
                    cpus: vec![u32::from(id)],
                })
                .collect(),
            ..Settings::default()
        };
        assert_eq!(groups(0).slot_count(), 65_536);
        assert_eq!(groups(2).slot_count(), 65_536);
        assert_eq!(groups(16).slot_count(), 32_768);
        assert_eq!(groups(128).slot_count(), 4_096);
        assert_eq!(groups(10_000).slot_count(), 1_024);
        for n in [1, 3, 100, 1000] {
            assert!(groups(n).slot_count().is_power_of_two());
        }
    }
}
