//! Closing slices: the time between two hooks on a CPU is charged to the task
//! that ran.

use aya_ebpf::{
    bindings::{BPF_F_CURRENT_CPU, bpf_perf_event_value},
    helpers::generated::{bpf_ktime_get_ns, bpf_perf_event_read_value},
};
use core::ptr::{read_volatile, write_volatile};
use eprof_common::{
    Cell, Control, CpuState, Link, Outcome,
    cpu::{IDLE, TARGET},
};

use crate::{follow::Owner, map};

/// Now, on `CLOCK_MONOTONIC`.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: takes nothing, has no side effects.
    unsafe { bpf_ktime_get_ns() }
}

/// The cycle counter of this CPU; zero where there is none.
#[inline(always)]
fn cycles(cpu: *mut CpuState) -> u64 {
    if map::CYCLES.load() == 0 {
        return 0;
    }
    let mut value = bpf_perf_event_value {
        counter: 0,
        enabled: 0,
        running: 0,
    };
    // SAFETY: the buffer is as large as the size says.
    let status = unsafe {
        bpf_perf_event_read_value(
            (&raw const map::COUNTERS).cast_mut().cast(),
            u64::from(BPF_F_CURRENT_CPU as u32),
            &mut value,
            size_of::<bpf_perf_event_value>() as u32,
        )
    };
    if status != 0 {
        // SAFETY: `cpu` is an element of CPUS.
        unsafe { (*cpu).lost[Outcome::COUNTER_FAILED.0 as usize] += 1 };
        return 0;
    }
    value.counter
}

/// One piece of a slice, within one interval.
struct Piece {
    ns: u64,
    cycles: u64,
    switches: u32,
}

/// Closes the slice that `owner` has been running since the last hook on this
/// CPU, and begins the next one. Must not be interrupted by another closing
/// on the same CPU.
///
/// The clock is read here, late in the program: most of what a hook costs is
/// charged to the task that caused it rather than to the next one.
#[inline(always)]
pub fn close(cpu: *mut CpuState, control: *mut Control, owner: Owner, switches: u32) {
    let now = now();
    let counter = cycles(cpu);
    // SAFETY: both pointers are elements of maps, which live as long as the
    // program; user space changes epoch and boundary at any time, hence the
    // volatile reads, and the order: clock, epoch, boundary.
    let (start, spent_cycles, parity, boundary) = unsafe {
        let start = (*cpu).start;
        let spent_cycles = counter.wrapping_sub((*cpu).counts[0]);
        (*cpu).start = now;
        (*cpu).counts[0] = counter;
        let parity = read_volatile(&raw const (*control).epoch) & 1;
        let boundary = read_volatile(&raw const (*control).boundary[parity as usize]);
        (start, spent_cycles, parity, boundary)
    };
    let spent = now.wrapping_sub(start);
    let mut piece = Piece {
        ns: spent,
        // A counter that could not be read at either end says nothing.
        cycles: if counter == 0 || spent_cycles == counter {
            0
        } else {
            spent_cycles
        },
        switches,
    };
    if start == 0 || owner.class == IDLE {
        piece.ns = 0;
        piece.cycles = 0;
    }
    if now <= boundary {
        charge(cpu, parity ^ 1, owner, piece);
    } else if start >= boundary || piece.ns == 0 {
        charge(cpu, parity, owner, piece);
    } else {
        let before = boundary - start;
        let cycles = share(piece.cycles, before, spent);
        charge(
            cpu,
            parity ^ 1,
            owner,
            Piece {
                ns: before,
                cycles,
                switches: 0,
            },
        );
        piece.ns = spent - before;
        piece.cycles -= cycles;
        charge(cpu, parity, owner, piece);
    }
}

/// `cycles × before / spent` without overflow for slices below four seconds,
/// and with a relative error below 1e-6 for longer ones.
#[inline(always)]
fn share(cycles: u64, before: u64, spent: u64) -> u64 {
    let (mut part, mut whole) = (before, spent);
    if whole >> 32 != 0 {
        part >>= 12;
        whole >>= 12;
    }
    if whole == 0 {
        return 0;
    }
    (cycles / whole) * part + (cycles % whole) * part / whole
}

#[inline(always)]
fn charge(cpu: *mut CpuState, parity: u64, owner: Owner, piece: Piece) {
    // SAFETY: `cpu` is an element of CPUS, `parity` is 0 or 1, and the class
    // is compared with the number of classes.
    unsafe {
        let cell = if parity == 0 {
            &raw mut (*cpu).cells[0]
        } else {
            &raw mut (*cpu).cells[1]
        };
        if owner.class >= IDLE {
            return;
        }
        add(&raw mut (*cell).classes[owner.class], &piece);
        if owner.class != TARGET || owner.slot == Link::NO_SLOT {
            return;
        }
        let zone = (*cpu).zone;
        let index = (owner.slot * map::ZONES.load() + zone) * 2 + parity as u32;
        if let Some(cell) = map::CELLS.get_ptr_mut(index) {
            add(cell, &piece);
        }
    }
}

/// # Safety
/// `cell` is an element of a map, or of one.
#[inline(always)]
unsafe fn add(cell: *mut Cell, piece: &Piece) {
    // SAFETY: by the caller.
    unsafe {
        (*cell).ns += piece.ns;
        (*cell).counts[0] += piece.cycles;
        (*cell).switches += piece.switches;
    }
}

/// Closes a slice where interrupts are enabled: `flush`, which comes by
/// interrupt, keeps out meanwhile.
#[inline(always)]
pub fn close_guarded(cpu: *mut CpuState, control: *mut Control, owner: Owner) {
    // SAFETY: `cpu` is an element of CPUS.
    unsafe {
        write_volatile(&raw mut (*cpu).busy, 1);
        close(cpu, control, owner, 0);
        write_volatile(&raw mut (*cpu).busy, 0);
    }
}
