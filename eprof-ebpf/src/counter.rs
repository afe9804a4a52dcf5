//! Reading the hardware counters of the CPU that a program runs on.

use aya_ebpf::{
    bindings::{BPF_F_CURRENT_CPU, bpf_perf_event_value},
    helpers::generated::bpf_perf_event_read_value,
    maps::PerfEventArray,
};
use core::mem::MaybeUninit;
use eprof_common::{COUNTERS, CpuState, Outcome};

use crate::map;

/// What a counter says that cannot be read.
const UNREAD: u64 = 0;

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
    // The helper fills it, or answers that it failed.
    let mut value = MaybeUninit::<bpf_perf_event_value>::uninit();
    // SAFETY: the buffer is as large as the size says.
    let status = unsafe {
        bpf_perf_event_read_value(
            (&raw const *map).cast_mut().cast(),
            u64::from(BPF_F_CURRENT_CPU as u32),
            value.as_mut_ptr(),
            size_of::<bpf_perf_event_value>() as u32,
        )
    };
    if status != 0 {
        // SAFETY: `cpu` is an element of CPUS.
        unsafe { (*cpu).lost[Outcome::COUNTER_FAILED.0 as usize] += 1 };
        return UNREAD;
    }
    // SAFETY: the helper has filled it.
    unsafe { (*value.as_ptr()).counter }
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
