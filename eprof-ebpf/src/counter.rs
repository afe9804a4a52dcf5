//! Reading the hardware counters of the CPU that a program runs on.

use aya_ebpf::{
    bindings::BPF_F_CURRENT_CPU, helpers::generated::bpf_perf_event_read, maps::PerfEventArray,
};
use eprof_common::{COUNTERS, CpuState, Outcome};

use crate::map;

/// What a counter says that cannot be read.
const UNREAD: u64 = 0;
/// The largest error number (`include/linux/err.h`).
const MAX_ERRNO: u64 = 4095;

/// All counters of this CPU; [`UNREAD`] for those that are not in use or fail,
/// which is counted as a loss.
#[inline(always)]
pub fn read(cpu: *mut CpuState) -> [u64; COUNTERS] {
    [
        read_one(cpu, 0, &map::COUNTER_0),
        read_one(cpu, 1, &map::COUNTER_1),
        read_one(cpu, 2, &map::COUNTER_2),
        read_one(cpu, 3, &map::COUNTER_3),
    ]
}

#[inline(always)]
fn read_one(cpu: *mut CpuState, counter: u32, map: &'static PerfEventArray<u32>) -> u64 {
    // Each behind its own bit of a constant: the verifier takes out the code
    // of those that are not in use.
    if map::COUNTED.load() >> counter & 1 == 0 {
        return UNREAD;
    }
    // Without the times that `bpf_perf_event_read_value` gives as well, which
    // take a look at the clock for each counter; user space asks for them.
    // SAFETY: the helper checks the index.
    let value = unsafe {
        bpf_perf_event_read(
            (&raw const *map).cast_mut().cast(),
            u64::from(BPF_F_CURRENT_CPU as u32),
        )
    };
    // An error is a negative number; no counter will ever be that large.
    if value > u64::MAX - MAX_ERRNO {
        // SAFETY: `cpu` is an element of CPUS.
        unsafe { (*cpu).lost[Outcome::COUNTER_FAILED.0 as usize] += 1 };
        return UNREAD;
    }
    value
}

/// The events between two readings. A counter that could not be read at either
/// end says nothing.
#[inline(always)]
pub fn events(before: &[u64; COUNTERS], after: &[u64; COUNTERS]) -> [u64; COUNTERS] {
    let counted = map::COUNTED.load();
    let one = |counter: usize| {
        let (before, after) = (before[counter], after[counter]);
        if counted >> counter & 1 == 0 || before == UNREAD || after == UNREAD {
            0
        } else {
            after.wrapping_sub(before)
        }
    };
    [one(0), one(1), one(2), one(3)]
}
