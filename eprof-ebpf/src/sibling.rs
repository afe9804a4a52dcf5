//! Whether the other hardware thread of a core is busy meanwhile.
//!
//! Every CPU keeps the time it was idle, exactly, where everyone can see it.
//! What a slice had of its core to itself is the sibling's idle time at its
//! end less that at its beginning; the rest was shared.

use core::ptr::{read_volatile, write_volatile};
use eprof_common::{CpuState, IdleTime};

use crate::map;

/// Nanoseconds of the slice that ends `now` and took `spent`, in which the
/// sibling was busy too; zero where there is none. Begins the next slice.
#[inline(always)]
pub fn shared(cpu: *mut CpuState, now: u64, spent: u64) -> u64 {
    if map::SIBLINGS.load() == 0 {
        return 0;
    }
    // SAFETY: `cpu` and `other` are elements of CPUS.
    unsafe {
        let sibling = (*cpu).sibling;
        if sibling == 0 {
            return 0;
        }
        let Some(other) = map::CPUS.get_ptr_mut(sibling - 1) else {
            return 0;
        };
        let total = IdleTime(read_volatile(&raw const (*other).idle)).total(now);
        let alone = total.wrapping_sub((*cpu).sibling_idle);
        // The clocks of two CPUs need not agree to the nanosecond: a little
        // less than nothing is nothing.
        if alone as i64 <= 0 {
            return spent;
        }
        // More than the slice took became known late (a hypervisor took the
        // sibling away between its clock and its store): the rest counts for
        // the next slices, so that the sum is right.
        let alone = if alone > spent { spent } else { alone };
        (*cpu).sibling_idle = (*cpu).sibling_idle.wrapping_add(alone);
        spent - alone
    }
}

/// Notes that this CPU becomes idle `now`, or is so already.
#[inline(always)]
pub fn idle(cpu: *mut CpuState, now: u64) {
    change(cpu, |state| state.begin(now));
}

/// Notes that this CPU becomes busy `now`.
#[inline(always)]
pub fn busy(cpu: *mut CpuState, now: u64) {
    change(cpu, |state| state.end(now));
}

#[inline(always)]
fn change(cpu: *mut CpuState, to: impl FnOnce(IdleTime) -> IdleTime) {
    if map::SIBLINGS.load() != 0 {
        // SAFETY: `cpu` is an element of CPUS; only this CPU writes to it.
        unsafe {
            let state = IdleTime((*cpu).idle);
            write_volatile(&raw mut (*cpu).idle, to(state).0);
        }
    }
}
